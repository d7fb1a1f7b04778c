// What the page really shows, read from the element that shows it: a <video> or a canvas.
// Installed into the page by browser_page.py as `benchProbe`.
(() => {
  const BLOCK = 32;
  const BITS = 16;
  const canvas = new OffscreenCanvas(BITS, 1);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingEnabled = false;

  const width = (element) => element.videoWidth || element.width;
  const height = (element) => element.videoHeight || element.height;

  /** The largest visible picture of the page, or null. */
  const screen = () => {
    const area = (e) => e.clientWidth * e.clientHeight;
    const shown = [...document.querySelectorAll('video, canvas')].filter(
      (e) => area(e) > 0 && width(e) > 0 && (e.tagName === 'CANVAS' || e.readyState >= 2),
    );
    return shown.sort((a, b) => area(b) - area(a))[0] ?? null;
  };

  /** Brightness (0 to 255) in the middle of `count` blocks in a row that begins at x, y. */
  const read = async (element, x, y, count) => {
    if (element.tagName === 'VIDEO') {
      const frame = new VideoFrame(element, { timestamp: 0 });
      try {
        if (frame.format === 'I420' || frame.format === 'NV12') {
          // The frame's own brightness plane: no conversion of the whole picture to RGB.
          const rect = { x, y, width: count * BLOCK, height: BLOCK };
          const bytes = new Uint8Array(frame.allocationSize({ rect }));
          const [plane] = await frame.copyTo(bytes, { rect });
          const middle = plane.offset + (BLOCK / 2) * plane.stride + BLOCK / 2;
          return Array.from({ length: count }, (_, i) => bytes[middle + i * BLOCK]);
        }
      } finally {
        frame.close();
      }
    }
    context.drawImage(element, x, y, count * BLOCK, BLOCK, 0, 0, count, 1);
    const pixels = context.getImageData(0, 0, count, 1).data;
    return Array.from({ length: count }, (_, i) => pixels[4 * i + 1]);
  };

  const number = (levels) => {
    let gray = 0;
    levels.forEach((level, bit) => (gray |= (level > 127 ? 1 : 0) << bit));
    let value = gray;
    for (let shift = 1; shift < BITS; shift <<= 1) value ^= value >> shift;
    return value;
  };

  const nextFrame = () => new Promise(requestAnimationFrame);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const middleBlock = (element) => [
    2 * Math.floor(width(element) / 4),
    2 * Math.floor(height(element) / 4),
  ];

  window.benchProbe = {
    /** Size of the picture, or null while there is none. */
    size() {
      const element = screen();
      return element && [width(element), height(element)];
    },

    /** Where the picture is on the page. */
    box() {
      return screen().getBoundingClientRect();
    },

    /** Whether anything but one colour is on the screen. */
    async picture() {
      const element = screen();
      if (!element) return false;
      const seen = [];
      for (const part of [0.1, 0.3, 0.5, 0.7, 0.9]) {
        const y = 2 * Math.floor((part * (height(element) - BLOCK)) / 2);
        seen.push(...(await read(element, 0, y, BITS)));
      }
      return Math.max(...seen) - Math.min(...seen) > 8;
    },

    /** Distinct frames in `ms`: how many a second, and the times between them. */
    async motion(ms) {
      const element = screen();
      const frames = [];
      const reads = [];
      let last = -1;
      const began = performance.now();
      let now = began;
      while (now - began < ms) {
        await nextFrame();
        now = performance.now();
        const at = now;
        const sample = read(element, 0, 0, BITS).then((levels) => {
          const value = number(levels);
          if (value !== last) frames.push([at, value]);
          last = value;
        });
        reads.push(sample);
      }
      await Promise.all(reads);
      const seconds = (now - began) / 1000;
      const gaps = frames.slice(1).map(([at], i) => at - frames[i][0]);
      const made = frames.length > 1 ? frames[frames.length - 1][1] - frames[0][1] : 0;
      return {
        fps: new Set(frames.map(([, value]) => value)).size / seconds,
        made: made / seconds,
        samples: reads.length / seconds,
        gaps,
      };
    },

    /** Get ready for one click: `clicked` resolves to the ms until the screen has changed. */
    async arm() {
      const element = screen();
      const [x, y] = middleBlock(element);
      const bright = async () => (await read(element, x, y, 1))[0] > 127;
      const before = await bright();
      this.clicked = new Promise((resolve) => {
        const pressed = async () => {
          const began = performance.now();
          let changed = false;
          while (!changed && performance.now() - began < 3000) {
            await pause(0);
            changed = (await bright()) !== before;
          }
          resolve(changed ? performance.now() - began : null);
        };
        window.addEventListener('mousedown', pressed, { capture: true, once: true });
      });
    },
  };
})();
