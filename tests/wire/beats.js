// Sends numbered events with lumberjack-client, which does not look at acknowledgements: PORT COUNT.
const Client = require(process.env.WIRE_MODULES + '/lumberjack-client');

const client = new Client({ host: '127.0.0.1', port: Number(process.argv[2]) });
for (let n = 0; n < Number(process.argv[3]); n += 1) client.log({ n, message: 'x'.repeat(100) });
client.socket.resume();
setTimeout(() => client.socket.end(() => process.exit(0)), 300);
