import { describe, expect, it } from 'vitest';

import { newConnection, pollDelay, step } from '../src/viewer/connection';
import type { Connection, ConnectionEvent } from '../src/viewer/connection';

const after = (...events: ConnectionEvent[]): Connection => events.reduce(step, newConnection);

describe('the connection to the desktop', () => {
  it('loads the picture once while all is well', () => {
    expect(after({ type: 'answered' }, { type: 'answered' })).toMatchObject({
      phase: 'good',
      frame: 0,
    });
  });

  it('is interrupted by one failure and counts from the first', () => {
    const state = after(
      { type: 'answered' },
      { type: 'failed', at: 1_000, cause: 'network' },
      { type: 'failed', at: 3_000, cause: 'network' },
    );
    expect(state).toMatchObject({ phase: 'interrupted', since: 1_000, frame: 0 });
    expect(pollDelay(state)).toBeLessThanOrEqual(2_000);
  });

  it('knows another cause when it sees one, and is not eager where somebody has to act', () => {
    const away = after({ type: 'failed', at: 1, cause: 'away' });
    const stopped = step(away, { type: 'failed', at: 9, cause: 'stopped' });
    expect(stopped).toMatchObject({ phase: 'interrupted', since: 1, cause: 'stopped' });
    expect(pollDelay(stopped)).toBeGreaterThan(pollDelay(away));
    expect(pollDelay(step(stopped, { type: 'failed', at: 9, cause: 'pending' }))).toBe(
      pollDelay(away),
    );
    expect(step(stopped, { type: 'answered' })).toMatchObject({ phase: 'restored', cause: null });
  });

  it('loads the picture anew when it comes back, and says so for a while', () => {
    const back = after({ type: 'failed', at: 1, cause: 'network' }, { type: 'answered' });
    expect(back).toMatchObject({ phase: 'restored', since: null, frame: 1 });
    expect(step(back, { type: 'answered' })).toBe(back);
    expect(step(back, { type: 'told' })).toMatchObject({ phase: 'good', frame: 1 });
  });

  it('believes the browser that it is offline, and a new answer that it is not', () => {
    const offline = after({ type: 'answered' }, { type: 'offline', at: 5 });
    expect(offline).toMatchObject({ phase: 'interrupted', offline: true, since: 5 });
    expect(step(offline, { type: 'online' })).toMatchObject({
      phase: 'interrupted',
      offline: false,
    });
    expect(step(offline, { type: 'answered' })).toMatchObject({
      phase: 'restored',
      offline: false,
    });
  });

  it('is blocked where no WebSocket gets through, and loads the picture when one does', () => {
    const blocked = after({ type: 'answered' }, { type: 'blocked' });
    expect(blocked).toMatchObject({ phase: 'blocked', since: null, frame: 0 });
    expect(step(blocked, { type: 'blocked' })).toBe(blocked);
    expect(step(blocked, { type: 'answered' })).toMatchObject({ phase: 'restored', frame: 1 });
    expect(step(blocked, { type: 'failed', at: 7, cause: 'network' })).toMatchObject({
      phase: 'interrupted',
      since: 7,
    });
    expect(after({ type: 'failed', at: 7, cause: 'network' }, { type: 'blocked' })).toMatchObject(
      blocked,
    );
  });

  it('may break again while the user is being told that it is back', () => {
    const again = after(
      { type: 'failed', at: 1, cause: 'network' },
      { type: 'answered' },
      { type: 'failed', at: 9, cause: 'network' },
    );
    expect(again).toMatchObject({ phase: 'interrupted', since: 9 });
    expect(step(again, { type: 'told' })).toBe(again);
  });

  it('loads the picture anew when the user asks', () => {
    expect(after({ type: 'answered' }, { type: 'reload' })).toMatchObject({
      phase: 'good',
      frame: 1,
    });
  });

  it('looks often while what streams is started again, and less while it ends again and again', () => {
    const ended = after({ type: 'answered' }, { type: 'failed', at: 1, cause: 'host' });
    const pausing = step(ended, { type: 'failed', at: 2, cause: 'pausing' });
    expect(pollDelay(ended)).toBeLessThan(1_000);
    expect(pollDelay(pausing)).toBeGreaterThan(1_000);
    expect(step(ended, { type: 'answered' })).toMatchObject({ phase: 'restored', frame: 1 });
  });

  it('loads the picture anew, and says so, when its stream is gone though all is well', () => {
    const state = after({ type: 'answered' }, { type: 'renewed' }, { type: 'renewed' });
    expect(state).toMatchObject({ phase: 'restored', frame: 2 });
  });

  it('knows that it waits for another window', () => {
    const waits = after({ type: 'answered' }, { type: 'turn', waits: true });
    expect(waits).toMatchObject({ phase: 'good', waits: true, frame: 0 });
    expect(step(waits, { type: 'turn', waits: true })).toBe(waits);
    expect(step(waits, { type: 'turn', waits: false })).toMatchObject({ waits: false });
  });
});
