import { describe, expect, it } from 'vitest';

import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { factsOf } from '../src/sessions/facts';
import { encoderOf } from '../src/sessions/status';
import { session } from './sample';

describe('the facts of a running session', () => {
  const known = session({
    node: 'n1',
    display_num: 0,
    screen: '1280x720',
    encoder: 'libx264 [software]',
    gl_renderer: 'llvmpipe (LLVM 15.0.6, 256 bits)',
    audio: false,
  });

  it('say what really encodes and draws, and whether there is sound', () => {
    expect(factsOf(en, known)).toEqual([
      { label: 'Node', value: 'n1', named: true },
      { label: 'Display', value: ':0' },
      { label: 'Screen', value: '1280 × 720' },
      { label: 'Encoder', value: 'libx264 [software]', named: true },
      { label: 'OpenGL', value: 'llvmpipe (LLVM 15.0.6, 256 bits)', named: true },
      { label: 'Sound', value: 'off' },
    ]);
    const heard = factsOf(ko, { ...known, audio: true });
    expect(heard).toContainEqual({ label: '소리', value: '켜짐' });
  });

  it('say of a running one which ways clipboard and files may go', () => {
    const running = { ...known, status: 'running', clipboard: 'both', files: 'off' } as const;
    expect(factsOf(en, running).slice(-2)).toEqual([
      { label: 'Clipboard', value: 'both ways' },
      { label: 'Files', value: 'off' },
    ]);
    const one = { ...running, files: 'to_desktop' } as const;
    expect(factsOf(ko, one)).toContainEqual({ label: '파일', value: '데스크톱으로만' });
  });

  it('leave out what is not known, also by an older server', () => {
    expect(factsOf(en, session())).toEqual([]);
    const unknown = session({ encoder: null, gl_renderer: null, audio: null });
    expect(factsOf(en, unknown)).toEqual([]);
  });
});

describe('the encoder', () => {
  const step = { id: 'picture', label: '', started_at: null, ended_at: null } as const;

  it('is what the step of the first picture found', () => {
    const done = { ...step, state: 'done', detail: 'h264_nvenc' } as const;
    expect(encoderOf(session({ steps: [done] }))).toBe('h264_nvenc');
    expect(encoderOf(session({ steps: [{ ...done, detail: null }] }))).toBe('');
    expect(encoderOf(session({ steps: [{ ...done, state: 'running' }] }))).toBe('');
    expect(encoderOf(session())).toBe('');
  });

  it('is what the session says, where the server says it', () => {
    const steps = [{ ...step, state: 'done', detail: 'h264_nvenc' } as const];
    expect(encoderOf(session({ steps, encoder: 'nvenc' }))).toBe('nvenc');
    expect(encoderOf(session({ steps, encoder: null }))).toBe('h264_nvenc');
  });
});
