// Runs in moonlight-web's page before its own code: it comes with its config.js.
//
// What is pasted into that page Sunshine types as Ctrl+Shift+U, digits and Return, which a terminal runs.
// The session's own clipboard dialog does better, so the page never hears of a paste.
addEventListener('paste', (event) => event.stopImmediatePropagation(), true);

// It goes on showing the last picture when its stream has ended. The viewer around it is told.
if (parent !== self) {
  const tell = (state) =>
    parent.postMessage({ type: 'moonlight:stream', state }, location.origin);
  self.WebSocket = class extends self.WebSocket {
    #left = false;
    constructor(...words) {
      super(...words);
      tell('starting');
      this.addEventListener('open', () => tell('open'));
      this.addEventListener('close', () => this.#left || tell('closed'));
    }
    close(...words) {
      this.#left = true;
      super.close(...words);
    }
  };
}
