// Sends numbered events with fluent-logger until all are acknowledged: PORT COUNT MODE [KEY]. An event that is not, is sent again.
const fluent = require(process.env.WIRE_MODULES + '/fluent-logger');

const [port, count, eventMode, sharedKey] = process.argv.slice(2);
const security = sharedKey ? { clientHostname: 'client.example', sharedKey } : undefined;
const options = {
  host: '127.0.0.1', port: Number(port), timeout: 5, requireAckResponse: true, ackResponseTimeout: 3000, eventMode, security,
  flushInterval: 20, reconnectInterval: 100, internalLogger: { info() {}, error() {} },
};
const UNDER_WAY = 500;
let next = 0, acknowledged = 0, failures = 0;
const sender = fluent.createFluentSender('app', options);
sender.on('error', () => {});

function send(n) {
  sender.emit('js', { n, message: 'x'.repeat(100) }, (error) => {
    if (error) {
      failures += 1;
      setTimeout(() => send(n), 100);
      return;
    }
    acknowledged += 1;
    if (acknowledged === Number(count)) {
      console.log('failures', failures);
      process.exit(0);
    }
    if (next < Number(count)) send(next++);
  });
}
while (next < Math.min(UNDER_WAY, Number(count))) send(next++);
setTimeout(() => { console.error('acknowledged', acknowledged, 'failures', failures); process.exit(1); }, 300000);
