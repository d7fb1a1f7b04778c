import { describe, expect, it } from 'vitest';

import { ApiError, errorFromAnswer } from '../src/api/errors';
import type { Native } from '../src/api/types';
import { en } from '../src/i18n/languages/en';
import { ko } from '../src/i18n/languages/ko';
import { problemText } from '../src/i18n/wording';
import {
  addressOf,
  askFresh,
  checkPairing,
  complaintsFrom,
  hasMoved,
  isMissing,
  nobodyWaits,
  pairRequest,
  withClient,
  withoutClient,
} from '../src/native/pairing';
import { seen } from './sample';

const laptop = { uuid: 'A-1', name: 'Laptop', enabled: true };
const native: Native = { available: true, address: '10.1.0.7', port: 48186, clients: [laptop] };

const refusal = (status: number, code: string, ...fields: string[]): ApiError =>
  errorFromAnswer(seen(status), {
    message: `${code} happened.`,
    error: { code, fields: fields.map((field) => ({ field, message: 'is wrong' })) },
  });

describe('the address', () => {
  it('is what a Moonlight client takes', () => {
    expect(addressOf(native)).toBe('10.1.0.7:48186');
    expect(addressOf({ address: 'fd00::7', port: 48186 })).toBe('[fd00::7]:48186');
  });

  it('is asked for anew when the session says other ports, and not before they are known', () => {
    expect(hasMoved(native, 48218)).toBe(true);
    expect(hasMoved(native, 48186)).toBe(false);
    expect(hasMoved(native, null)).toBe(false);
    expect(hasMoved(null, 48218)).toBe(false);
  });
});

describe('what is typed to pair', () => {
  const complaints = (pin: string, name = ''): object => checkPairing(pairRequest({ pin, name }));

  it('is four digits, however they were entered', () => {
    expect(pairRequest({ pin: ' 12 34 ', name: '  ' })).toEqual({ pin: '1234', name: 'Moonlight' });
    expect(pairRequest({ pin: '０１２３', name: '' }).pin).toBe('0123');
    for (const pin of ['', '123', '12345', '12a4', '١٢٣٤']) {
      expect(complaints(pin)).toEqual({ pin: 'pinWrong' });
    }
  });

  it('may have a name of any script', () => {
    expect(complaints('1234', '연구실 노트북 (2)')).toEqual({});
    expect(complaints('1234', '연구실'.normalize('NFD'))).toEqual({});
    expect(complaints('1234', 'x'.repeat(41))).toEqual({ name: 'nameWrong' });
    expect(complaints('', '<b>')).toEqual({ pin: 'pinWrong', name: 'nameWrong' });
  });
});

describe('a refused pairing', () => {
  it('complains beside the field', () => {
    expect(complaintsFrom(refusal(400, 'invalid_request', 'pin'))).toEqual({ pin: 'pinWrong' });
    expect(complaintsFrom(refusal(400, 'invalid_request', 'name'))).toEqual({ name: 'nameWrong' });
    expect(complaintsFrom(refusal(422, 'invalid_request', 'pin'))).toEqual({ pin: 'pinRefused' });
  });

  it('is a message when it is about something else', () => {
    for (const error of [
      refusal(400, 'invalid_request', 'body'),
      refusal(400, 'invalid_request'),
      refusal(409, 'no_client_waits'),
      refusal(502, 'node_away'),
      errorFromAnswer(seen(502), null),
      new ApiError('network', 0, '', 'Failed to fetch'),
    ]) {
      expect(complaintsFrom(error)).toBeNull();
    }
  });

  it('says in both languages what to do', () => {
    const waits = refusal(409, 'no_client_waits');
    expect(nobodyWaits(waits)).toBe(true);
    expect(nobodyWaits(refusal(409, 'not_running'))).toBe(false);
    expect(problemText(en, waits)).toBe('no_client_waits happened.');
    for (const code of ['no_client_waits', 'not_running', 'node_away', 'host_away']) {
      expect(problemText(ko, refusal(502, code))).toMatch(/[가-힣]/);
    }
    expect(problemText(ko, errorFromAnswer(seen(502), null))).toBe(ko.problem.gateway);
  });

  it('tells a site without native clients from one in trouble', () => {
    expect(isMissing(refusal(404, 'not_found'))).toBe(true);
    expect(isMissing(refusal(502, 'host_away'))).toBe(false);
  });
});

describe('the list of clients', () => {
  it('knows of a change before the server is asked again', () => {
    const both = withClient(native, { uuid: 'B-2', name: 'Tablet' });
    expect(both.clients.map((client) => client.name)).toEqual(['Laptop', 'Tablet']);
    expect(withClient(both, { uuid: 'B-2', name: 'Tablet' }).clients).toHaveLength(2);
    expect(withoutClient(both, 'A-1').clients).toEqual([
      { uuid: 'B-2', name: 'Tablet', enabled: true },
    ]);
  });
});

describe('an answer', () => {
  it('from before a change is asked for again', async () => {
    let changes = 0;
    let asked = 0;
    const ask = (): Promise<number> => {
      changes += asked === 0 ? 1 : 0;
      return Promise.resolve(++asked);
    };
    await expect(askFresh(ask, () => changes)).resolves.toBe(2);
    await expect(askFresh(ask, () => changes)).resolves.toBe(3);
  });
});
