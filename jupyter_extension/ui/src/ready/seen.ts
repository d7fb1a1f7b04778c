const CHANNEL = 'moonlight:ready';

/** In it, a tab that is looked at tells those that are not which desktops its user has seen. */
export class SeenElsewhere {
  private readonly channel = new BroadcastChannel(CHANNEL);
  private readonly ids = new Set<unknown>();

  constructor() {
    this.channel.onmessage = ({ data }) => this.ids.add(data);
  }

  tell = (sessionId: string): void => this.channel.postMessage(sessionId);

  has = (sessionId: string): boolean => this.ids.has(sessionId);

  close = (): void => this.channel.close();
}
