import type { Session } from '../../api/types';
import { ClipboardDialog } from '../../clipboard/ClipboardDialog';
import { StopDialog } from '../../sessions/StopDialog';
import { SharingDialog } from '../../sharing/SharingDialog';
import { FilesDialog } from '../../transfers/FilesDialog';
import type { Transfers } from '../../transfers/useTransfers';
import type { SelkiesHost, SelkiesState } from '../host/selkies';
import { ConnectionDialog } from './ConnectionDialog';
import { KeysDialog } from './KeysDialog';
import { SettingsDialog } from './SettingsDialog';

export type ToolName =
  'settings' | 'keys' | 'clipboard' | 'files' | 'connection' | 'sharing' | 'stop';

interface Props {
  name: ToolName;
  session: Session;
  host: SelkiesHost | null;
  state: SelkiesState | null;
  transfers: Transfers;
  onClose: () => void;
}

/** What a tool opens; nothing where its host has gone meanwhile. */
export function ToolDialog({ name, session, host, state, transfers, onClose }: Props) {
  switch (name) {
    case 'clipboard':
      return <ClipboardDialog session={session} onClose={onClose} />;
    case 'sharing':
      return <SharingDialog session={session} onClose={onClose} />;
    case 'files':
      return <FilesDialog session={session} transfers={transfers} onClose={onClose} />;
    case 'stop':
      return <StopDialog session={session} onClose={onClose} />;
  }
  if (!host || !state) {
    return null;
  }
  switch (name) {
    case 'settings':
      return <SettingsDialog session={session} host={host} state={state} onClose={onClose} />;
    case 'keys':
      return <KeysDialog host={host} state={state} onClose={onClose} />;
    case 'connection':
      return <ConnectionDialog state={state} onClose={onClose} />;
  }
}
