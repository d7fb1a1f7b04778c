import type { AskedField } from '../../../launch/presets';
import type { Dictionary } from '../en';

const fields: Record<AskedField, string> = {
  image: '데스크톱',
  hours: '시간',
  cpus: 'CPU',
  memory_gb: '메모리',
  gpus: 'GPU',
  fps: '초당 프레임 수',
  bitrate_kbps: '비트레이트',
  keyboard: '키보드',
  size: '화면 크기',
};

export const choices: Dictionary['choices'] = {
  preset: '프리셋',
  none: '마지막으로 쓴 설정',
  save: '프리셋으로 저장…',
  saveTitle: '이 설정 저장',
  rename: '프리셋 이름 바꾸기…',
  renameTitle: '프리셋 이름 바꾸기',
  delete: '프리셋 삭제',
  name: '프리셋 이름',
  nameHint:
    '본인 계정에 저장되어 다른 브라우저에서도 쓸 수 있습니다. 같은 이름으로 저장하면 바뀝니다.',
  nameHintHere: '이 브라우저에 저장됩니다. 같은 이름으로 저장하면 바뀝니다.',
  merged: '다른 창에서 설정이 바뀌어, 그 변경도 함께 저장했습니다.',
  damaged: (file) => `저장된 설정을 읽을 수 없습니다. 파일은 여기에 남아 있습니다: ${file}`,
  unkept: (why) => `설정을 계정에 저장하지 못해 이 브라우저에만 있습니다. ${why}`,
  replaces: '같은 이름의 프리셋이 있어 새 설정으로 바뀝니다.',
  full: (most) => `프리셋이 이미 ${most}개 있습니다. 먼저 하나를 삭제하세요.`,
  saved: (name) => `저장됨: ${name}`,
  deleted: (name) => `삭제됨: ${name}`,
  fellBack: (what) =>
    `이제 쓸 수 없어 기본값으로 바꾸었습니다: ${what.map((one) => fields[one]).join(', ')}.`,
};
