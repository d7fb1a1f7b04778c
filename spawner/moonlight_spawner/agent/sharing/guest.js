// A guest's page: it says what he may do, and lets the host's client in the frame take his keyboard and mouse
// while he may. What he may is decided at the gateway; this only spares him keys that lead nowhere.
const words = JSON.parse(document.getElementById('words').textContent);
const shown = document.getElementById('role');
const frame = document.querySelector('iframe');
const time = document.querySelector('time');
const until = new Date(time.dateTime);
const day = until.toDateString() === new Date().toDateString() ? undefined : 'medium';
time.textContent = until.toLocaleString(document.documentElement.lang, {
  dateStyle: day,
  timeStyle: 'short',
});

let role = '';
const fit = () => {
  const page = frame.contentDocument;
  page?.getElementById('overlayInput')?.setAttribute('aria-label', frame.title);
  // It has no name and is not seen: nobody who comes by Tab is to land there.
  page?.getElementById('keyboard-input-assist')?.setAttribute('tabindex', '-1');
  const input = frame.contentWindow?.webrtcInput;
  if (!input?.isInputAttached) return;
  if (role === 'control' && !input.isInputAttached()) {
    input.attach_context();
    frame.focus();
  } else if (role === 'view' && input.isInputAttached()) {
    input.detach_context();
  }
};
// The client makes its input anew whenever it has connected again.
setInterval(fit, 300);

const news = new URL('news', location.href);
news.protocol = news.protocol.replace('http', 'ws');
const listen = () => {
  const socket = new WebSocket(news);
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    if (!told.role) return; // it is over, which `gate.js` says in the place of this page
    role = told.role;
    shown.textContent = words[role];
    shown.dataset.role = role;
    fit();
  };
  socket.onclose = () => setTimeout(listen, 2000);
};
listen();
