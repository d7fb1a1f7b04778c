import type { Dictionary } from '../en';

export const when: Dictionary['when'] = {
  begin: '시작 시각',
  beginHint: '이 컴퓨터의 시계로 그 시각 이후에 시작합니다. 비우면 되는 대로 바로 시작합니다.',
  mail: '시작되면 메일 받기',
  mailHint: '클러스터에서 보냅니다.',
  mailTo: '메일 주소',
  mailToHint:
    '비우면 이 사이트의 본인 주소로 보냅니다. 클러스터의 다른 사용자가 작업 정보에서 볼 수 있습니다.',
};
