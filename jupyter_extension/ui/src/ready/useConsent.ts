import { useSyncExternalStore } from 'react';

import { ConsentStore, type Consent } from './consent';

let store: ConsentStore | undefined;

/** One for all cards of the page. */
export const consentStore = (): ConsentStore => (store ??= new ConsentStore());

export function useConsent(): Consent {
  const { subscribe, getState } = consentStore();
  return useSyncExternalStore(subscribe, getState, getState);
}
