import { createElement } from 'react';
import { describe, expect, it } from 'vitest';

import { AT_ONCE, beginRange, localInput, whenOf } from '../src/launch/when';
import { WhenFields } from '../src/launch/WhenFields';
import { requestAgain } from '../src/sessions/allocation';
import { render } from './render';
import { session, site } from './sample';

const shown = (changes: object, when = AT_ONCE): string =>
  render(
    createElement(WhenFields, {
      site: { ...site, ...changes },
      when,
      messages: {},
      onChange: () => undefined,
    }),
  );

describe('when a desktop begins', () => {
  it('is sent with its zone, and only if it was chosen', () => {
    const at = Date.UTC(2026, 10, 30, 8, 0);
    expect(whenOf(AT_ONCE)).toEqual({});
    expect(whenOf({ ...AT_ONCE, begin: localInput(at) })).toEqual({
      begin: '2026-11-30T08:00:00.000Z',
    });
    expect(whenOf({ ...AT_ONCE, begin: 'x' })).toEqual({});
    expect(whenOf({ ...AT_ONCE, mail: true, mailTo: ' a@b.org ' })).toEqual({
      mail: true,
      mail_to: 'a@b.org',
    });
    expect(whenOf({ ...AT_ONCE, mailTo: 'a@b.org' }), 'no mail was wanted').toEqual({});
  });

  it('is asked where the site has that', () => {
    expect(shown({})).toBe('');
    expect(shown({ begin_days: 14 })).toContain('type="datetime-local"');
    expect(shown({ begin_days: 14 })).not.toContain('type="checkbox"');
    expect(shown({ mail: true })).not.toContain('type="email"');
    expect(shown({ mail: true }, { ...AT_ONCE, mail: true })).toContain('type="email"');
    expect(beginRange({ begin_days: 1 }, 0)).toEqual({
      min: localInput(0),
      max: localInput(86_400_000),
    });
  });

  it('is not asked for again', () => {
    const { request } = session();
    const again = requestAgain(session({ request: { ...request, begin: '2026-11-30T08:00:00Z' } }));
    expect(again.begin).toBeNull();
    expect(requestAgain(session())).not.toHaveProperty('begin');
  });
});
