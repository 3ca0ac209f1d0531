// Sends numbered events with fluent-logger until all are acknowledged: PORT COUNT MODE [KEY]. An event that is not, is sent again.
// With WIRE_NOTES it keeps in that file up to which event all are, and goes on from there.
const fs = require('fs');
const fluent = require(process.env.WIRE_MODULES + '/fluent-logger');

const [port, count, eventMode, sharedKey] = process.argv.slice(2);
const security = sharedKey ? { clientHostname: 'client.example', sharedKey } : undefined;
const options = {
  host: '127.0.0.1', port: Number(port), timeout: 5, requireAckResponse: true, ackResponseTimeout: 3000, eventMode, security,
  flushInterval: 20, reconnectInterval: 100, internalLogger: { info() {}, error() {} },
};
const UNDER_WAY = 500;
const notes = process.env.WIRE_NOTES;
let next = notes && fs.existsSync(notes) ? Number(fs.readFileSync(notes, 'utf8')) : 0;
let acknowledged = next, upTo = next, failures = 0;
const beyond = new Set();
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
    beyond.add(n);
    const before = upTo;
    while (beyond.delete(upTo)) upTo += 1;
    if (notes && Math.floor(upTo / 100) > Math.floor(before / 100)) {
      fs.writeFileSync(`${notes}.new`, String(upTo));
      fs.renameSync(`${notes}.new`, notes);
    }
    if (acknowledged === Number(count)) {
      console.log('failures', failures);
      process.exit(0);
    }
    if (next < Number(count)) send(next++);
  });
}
for (const end = Math.min(next + UNDER_WAY, Number(count)); next < end;) send(next++);
setTimeout(() => { console.error('acknowledged', acknowledged, 'failures', failures); process.exit(1); }, 300000);
