import { createRoot } from 'react-dom/client';

import { App } from './App';
import { readSettings } from './config';
import { focusPressed } from './parts/focusPressed';
import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/header.css';
import './styles/home.css';
import './styles/launch.css';
import './styles/session.css';
import './styles/preview.css';
import './styles/native.css';
import './styles/dialog.css';
import './styles/viewer.css';
import './styles/tools.css';
import './styles/join.css';

const root = document.getElementById('root');
if (root) {
  focusPressed(document);
  const settings = readSettings(document, location.href);
  createRoot(root).render(<App settings={settings} pathname={location.pathname} />);
}
