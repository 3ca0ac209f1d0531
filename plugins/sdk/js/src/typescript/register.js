// `node --import @tamis/plugin/typescript --test` runs tests and plugins in TypeScript as they are, where Node does not by itself.

import { register } from "node:module";

register("./load.js", import.meta.url);
