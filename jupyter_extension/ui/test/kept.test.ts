import { beforeEach, describe, expect, it, vi } from 'vitest';

import { ApiError } from '../src/api/errors';
import type { Choices, KeptChoices } from '../src/api/types';
import { valuesOf } from '../src/launch/form';
import { Keeper } from '../src/launch/keeper';
import {
  clean,
  cleanName,
  launched,
  merged,
  NOTHING,
  without,
  withPreset,
} from '../src/launch/kept';
import { LocalChoices, optionsOf } from '../src/launch/local';
import { request } from './sample';

let stored: Map<string, string>;

beforeEach(() => {
  stored = new Map();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, text: string) => stored.set(key, text),
    key: (at: number) => [...stored.keys()][at] ?? null,
    get length() {
      return stored.size;
    },
  });
});

const preset = (name: string, hours = '1') => ({ name, image: 'desktop', values: { hours } });
const names = (choices: Choices | null) => choices?.presets.map(({ name }) => name);

/** What a server keeps, by the rules of the real one; `trouble` is its answer to the next question. */
class Server {
  kept: KeptChoices = { revision: '', choices: NOTHING, damaged: null };
  trouble: ApiError | null = null;
  asked = 0;

  choices = async (): Promise<KeptChoices> => {
    this.fail();
    return this.kept;
  };

  keepChoices = async (revision: string, choices: Choices): Promise<KeptChoices> => {
    this.fail();
    if (revision !== this.kept.revision) {
      throw new ApiError('refused', 409, 'choices_changed', 'They were changed.');
    }
    const aside = this.kept.damaged && `${this.kept.damaged}.aside`;
    this.kept = { revision: `${revision}a`, choices, damaged: null };
    return { ...this.kept, damaged: aside };
  };

  private fail(): void {
    this.asked += 1;
    if (this.trouble) {
      throw this.trouble;
    }
  }
}

const page = (server: Server) => {
  const local = new LocalChoices('alice');
  return { local, keeper: new Keeper(server, local) };
};

describe('what a browser had before', () => {
  beforeEach(() => {
    stored.set('moonlight:image:alice', '"gnome"');
    stored.set('moonlight:options:alice:gnome', '{"hours":"3","gpus":7}');
    stored.set('moonlight:options:bob:other', '{"hours":"9"}');
    stored.set('moonlight:picture:alice', '"no"');
    stored.set('moonlight:presets:alice', JSON.stringify([preset('Big'), preset('a\u202eb')]));
  });

  it('is brought once, as the server takes it, and then the server is right', async () => {
    const server = new Server();
    const { choices, told } = await page(server).keeper.load();
    expect(told).toBeNull();
    expect(choices).toEqual({
      image: 'gnome',
      picture: 'no',
      values: { gnome: { hours: '3' } },
      presets: [preset('ab'), preset('Big')],
    });
    expect(server.kept.choices).toEqual(choices);
    server.kept = { revision: 'b', choices: { ...NOTHING, image: 'desktop' }, damaged: null };
    expect((await page(server).keeper.load()).choices).toEqual(server.kept.choices);
    expect(new LocalChoices('alice').read()).toEqual(server.kept.choices);
    expect(server.kept.revision).toBe('b');
  });

  it('stands behind what another browser has kept', async () => {
    const server = new Server();
    const theirs = { ...NOTHING, image: 'desktop', presets: [preset('Big', '8')] };
    server.kept = { revision: 'b', choices: theirs, damaged: null };
    const { choices } = await page(server).keeper.load();
    expect(choices?.image).toBe('desktop');
    expect(choices?.presets).toEqual([preset('ab'), preset('Big', '8')]);
  });

  it('stays where it is at an older server', async () => {
    const server = new Server();
    server.trouble = new ApiError('refused', 404, 'not_found', 'There is nothing.');
    const { local, keeper } = page(server);
    expect(await keeper.load()).toEqual({ choices: null, told: null, here: true });
    local.change(withPreset(preset('New')));
    expect(await keeper.change(withPreset(preset('New')))).toMatchObject({
      told: null,
      here: true,
    });
    expect(names(local.read())).toEqual(['a\u202eb', 'Big', 'New']);
    expect(server.asked).toBe(1);
    server.trouble = null; // it is a newer one now
    expect(names((await page(server).keeper.load()).choices)).toEqual(['ab', 'Big', 'New']);
  });
});

describe('a change', () => {
  it('is made anew to what another window has kept meanwhile, which is said', async () => {
    const server = new Server();
    const [one, two] = [page(server), page(server)];
    await Promise.all([one.keeper.load(), two.keeper.load()]);
    await one.keeper.change(withPreset(preset('One')));
    const found = await two.keeper.change(withPreset(preset('Two')));
    expect(found.told).toEqual({ kind: 'merged' });
    expect(names(found.choices)).toEqual(['One', 'Two']);
    expect(names(server.kept.choices)).toEqual(['One', 'Two']);
    const both = await Promise.all([
      one.keeper.change(without('Two')),
      one.keeper.change(launched('desktop', valuesOf(request))),
    ]);
    expect(both.map(({ told }) => told)).toEqual([{ kind: 'merged' }, null]);
    expect(server.kept.choices).toMatchObject({ image: 'desktop', presets: [preset('One')] });
  });

  it('that cannot be kept is told, and brought the next time', async () => {
    const server = new Server();
    const { local, keeper } = page(server);
    await keeper.load();
    const full = new ApiError('refused', 503, 'choices_unavailable', 'The disk is full.');
    server.trouble = full;
    local.change(withPreset(preset('New')));
    const failed = await keeper.change(withPreset(preset('New')));
    expect(failed).toEqual({ choices: null, told: { kind: 'unkept', error: full }, here: false });
    expect(names(local.read())).toEqual(['New']);
    server.trouble = null;
    expect(names((await page(server).keeper.load()).choices)).toEqual(['New']);
    expect(names(server.kept.choices)).toEqual(['New']);
  });

  it('that the page was left with is brought the next time', async () => {
    const server = new Server();
    const { local, keeper } = page(server);
    await keeper.load();
    server.keepChoices = () => new Promise(() => undefined);
    local.change(withPreset(preset('New')));
    void keeper.change(withPreset(preset('New')));
    const next = Object.assign(new Server(), { kept: server.kept });
    expect(names((await page(next).keeper.load()).choices)).toEqual(['New']);
  });

  it('takes no preset away that is renamed where it is gone', () => {
    const others = { ...NOTHING, presets: [preset('Long')] };
    expect(without('Gone')(others).presets).toEqual([preset('Long')]);
    expect(merged(others)(others)).toEqual(others);
  });
});

describe('a file that cannot be read', () => {
  it('is told, and this browser’s choices take its place', async () => {
    const server = new Server();
    const { local, keeper } = page(server);
    local.change(withPreset(preset('Mine')));
    local.setGiven(true);
    server.kept = { revision: 'b', choices: NOTHING, damaged: '/home/alice/choices.json' };
    const { choices, told } = await keeper.load();
    expect(told).toEqual({ kind: 'damaged', file: '/home/alice/choices.json.aside' });
    expect(names(choices)).toEqual(['Mine']);
  });

  it('is told where there is nothing to take its place', async () => {
    const server = new Server();
    server.kept = { revision: 'b', choices: NOTHING, damaged: '/home/alice/choices.json' };
    const { told } = await page(server).keeper.load();
    expect(told).toEqual({ kind: 'damaged', file: '/home/alice/choices.json' });
    expect(server.kept.revision).toBe('b');
  });
});

describe('what the server takes', () => {
  it.each([
    [' Long ', 'Long'],
    ['e\u0301', '\u00e9'],
    ['a\u202eb\nc\ud800', 'abc'],
    ['👩\u200d🔬', '👩\u200d🔬'],
    ['\u3164', ''],
    ['\u200d', ''],
    ['가'.repeat(90), '가'.repeat(80)],
  ])('of a name: %j', (text, name) => expect(cleanName(text)).toBe(name));

  it('is all that is brought', () => {
    const values = { hours: '2', 'a b': 'x', gpus: '세', fps: 'x'.repeat(65) };
    const odd = clean({
      image: '../x',
      picture: '\u0000',
      values: { 'A b': { hours: '1' }, desktop: values },
      presets: [preset('a'), { ...preset('b'), image: ' ' }, preset('\u202e'), preset('a ', '2')],
    });
    const left = { desktop: { hours: '2' } };
    expect(odd).toEqual({ image: null, picture: null, values: left, presets: [preset('a', '2')] });
  });

  it('is of the last images, with the last one behind all others', () => {
    let choices = NOTHING;
    for (let i = 0; i < 60; i += 1) {
      choices = launched(`i${i}`, { ...valuesOf(request), picture: 'no' })(choices);
    }
    expect(Object.keys(choices.values)).toHaveLength(50);
    expect(choices.values).toHaveProperty('i59');
    expect(optionsOf(choices, 'i59')).toMatchObject({ hours: '8', picture: 'no' });
    expect(optionsOf(choices, 'other')).toEqual({ picture: 'no' });
    expect(optionsOf(NOTHING, 'other')).toBeNull();
  });
});
