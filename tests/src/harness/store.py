"""What the tests ask of a store by pyarrow, a client of its own: `store.py COMMAND ...`; the answer is JSON on standard output.

The first argument after the command is an S3 endpoint, or `local`; the second one a bucket with or without a prefix, or a folder.
"""
import json, os, sys
from pyarrow import fs, parquet

KEY, SECRET = "tester", "tester-secret"


def files(endpoint, folder):
    if endpoint == "local":
        store = fs.LocalFileSystem()
    else:
        store = fs.S3FileSystem(
            access_key=KEY, secret_key=SECRET, endpoint_override=endpoint, region="us-east-1", force_virtual_addressing=False,
            connect_timeout=5, request_timeout=10, allow_bucket_creation=True,
        )
    found = store.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    return store, sorted(info.path for info in found if info.type == fs.FileType.File)


def rows(store, path):
    if path.endswith(".parquet"):
        with store.open_input_file(path) as file:
            return parquet.read_table(file).to_pylist()
    packed = {".zst": "zstd", ".gz": "gzip"}.get(os.path.splitext(path)[1])
    with store.open_input_stream(path, compression=packed) as file:
        return [json.loads(line) for line in file.read().splitlines()]


def make(endpoint, bucket):
    """Makes a bucket."""
    files(endpoint, bucket)[0].create_dir(bucket)
    return True


def objects(endpoint, folder):
    """Keys of objects, or paths of files."""
    return files(endpoint, folder)[1]


def count(endpoint, folder):
    """How many records there are, how many different numbers (`n`) they hold, their sum, and how many objects there are."""
    store, paths = files(endpoint, folder)
    numbers = [row["n"] for path in paths if "#" not in path for row in rows(store, path)]
    return {"records": len(numbers), "different": len(set(numbers)), "sum": sum(set(numbers)), "objects": len(paths)}


def schema(endpoint, folder):
    """Names and types of the columns of the first Parquet file, how it is packed, and its first rows as text."""
    store, paths = files(endpoint, folder)
    with store.open_input_file(paths[0]) as file:
        read = parquet.ParquetFile(file)
        column = read.metadata.row_group(0).column(0)
        return {
            "columns": ["%s: %s" % (field.name, field.type) for field in read.schema_arrow],
            "compression": column.compression,
            "rows": [{name: str(value) for name, value in row.items()} for row in read.read().slice(0, 2).to_pylist()],
        }


command, *arguments = sys.argv[1:]
print(json.dumps({"make": make, "objects": objects, "count": count, "schema": schema}[command](*arguments)))
