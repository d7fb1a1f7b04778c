import { readStored, writeStored } from '../parts/storage';

/**
 * `absent` this browser or page has no notifications, `ask` nobody has been asked yet, `yes` they are
 * allowed, `no` they are not, or the question was not answered with yes: it is never put again.
 */
export type Consent = 'absent' | 'ask' | 'yes' | 'no';

const STORED_AS = 'moonlight:tell-me';

function found(): Consent {
  if (typeof Notification === 'undefined' || !window.isSecureContext) {
    return 'absent';
  }
  switch (Notification.permission) {
    case 'granted':
      return 'yes';
    case 'denied':
      return 'no';
    default:
      return readStored(STORED_AS) === 'asked' ? 'no' : canNotify() ? 'ask' : 'absent';
  }
}

/** Browsers of phones leave them to service workers, and say so by a TypeError; nothing is shown before they are allowed. */
function canNotify(): boolean {
  try {
    new Notification('');
    return true;
  } catch {
    return false;
  }
}

/** Whether this browser may tell its user that a desktop is ready. */
export class ConsentStore {
  private state: Consent = found();
  private listeners = new Set<() => void>();

  getState = (): Consent => this.state;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Browsers take this only from a button that was pressed. */
  ask = async (): Promise<void> => {
    writeStored(STORED_AS, 'asked');
    await Notification.requestPermission().catch(() => undefined);
    this.lookAgain();
  };

  decline = (): void => {
    writeStored(STORED_AS, 'asked');
    this.lookAgain();
  };

  private lookAgain(): void {
    this.state = found();
    this.listeners.forEach((listener) => listener());
  }
}
