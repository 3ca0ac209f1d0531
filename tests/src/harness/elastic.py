"""What the tests ask of real clients: `elastic.py COMMAND URL ...`; the answer is JSON on standard output."""
import json, sys, time
import elasticsearch, opensearchpy
from elasticsearch import helpers as elastic_helpers
from opensearchpy import helpers as opensearch_helpers


def clients(url, token):
    elastic = elasticsearch.Elasticsearch(url, api_key=token, request_timeout=20)
    opensearch = opensearchpy.OpenSearch(url, http_auth=("ana", token), timeout=20)
    return {"elasticsearch": (elastic, elastic_helpers), "opensearch": (opensearch, opensearch_helpers)}


def documents(index, first, count, **more):
    for n in range(first, first + count):
        mail = "jean.dupont%d@courriel.example" % n
        yield {"_index": index, "_id": "%s-%d" % (index, n), "n": n, "mail": mail, "text": "\"quoted\"\n\u00e9 \u20ac", **more}


def bulk(url, token, count):
    """Both clients add documents with `helpers.bulk`, with their identifiers and without, plain and one by one."""
    told = {}
    for name, (client, helpers) in clients(url, token).items():
        info = client.info()
        told[name] = {"version": info["version"]["number"], "health": client.cluster.health()["status"]}
        told[name]["bulk"] = helpers.bulk(client, documents("logs-" + name, 0, count), chunk_size=500)
        client.index(index="single-" + name, id="a/b", body={"n": 1}) if name == "opensearch" else client.index(index="single-" + name, id="a/b", document={"n": 1})
        items = [
            {"_op_type": "create", "_index": "items-" + name, "_id": "1", "n": 1},
            {"_op_type": "delete", "_index": "items-" + name, "_id": "1"},
            {"_op_type": "update", "_index": "items-" + name, "_id": "1", "doc": {"n": 2}},
            {"_index": "items-" + name, "n": 2},
        ]
        answers = helpers.streaming_bulk(client, items, raise_on_error=False)
        told[name]["items"] = [[ok, action, item["status"], len(item["_id"])] for ok, answer in answers for action, item in answer.items()]
    try:
        elasticsearch.Elasticsearch(url).info()
        told["stranger"] = "let in"
    except elasticsearch.AuthenticationException as error:
        told["stranger"] = error.status_code
    return told


def steady(url, token, index, count, chunk):
    """Adds documents as a shipper does: what was not answered is sent again, with the same identifiers."""
    again = 0
    for first in range(0, count, chunk):
        while True:
            client = elasticsearch.Elasticsearch(url, api_key=token, request_timeout=20, max_retries=0)
            try:
                elastic_helpers.bulk(client, documents(index, first, min(chunk, count - first)), chunk_size=chunk)
                break
            except (elasticsearch.ApiError, elasticsearch.TransportError, elastic_helpers.BulkIndexError):
                again += 1
                time.sleep(0.05)
            finally:
                client.close()
        print(first + chunk, file=sys.stderr, flush=True)
    return {"again": again}


def count(url, index):
    """Documents of an index."""
    client = opensearchpy.OpenSearch(url, timeout=60)
    try:
        client.indices.refresh(index=index)
        return client.count(index=index)["count"]
    except (opensearchpy.NotFoundError, opensearchpy.ConnectionError):
        return 0


def different(url, index):
    """How many different `n` the documents of an index hold."""
    client = opensearchpy.OpenSearch(url, timeout=60)
    numbers, after = set(), None
    while True:
        body = {"size": 10000, "sort": [{"n": "asc"}], "_source": ["n"], "query": {"match_all": {}}}
        if after is not None:
            body["search_after"] = after
        hits = client.search(index=index, body=body)["hits"]["hits"]
        if not hits:
            return len(numbers)
        numbers.update(hit["_source"]["n"] for hit in hits)
        after = hits[-1]["sort"]


def get(url, index, id):
    return opensearchpy.OpenSearch(url).get(index=index, id=id)["_source"]


def main(command, *arguments):
    commands = {"bulk": bulk, "steady": steady, "count": count, "different": different, "get": get}
    print(json.dumps(commands[command](*(int(word) if word.isdigit() else word for word in arguments))))


main(*sys.argv[1:])
