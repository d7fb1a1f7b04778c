import type { Dictionary } from '../en';

export const desktops: Dictionary['desktops'] = {
  which: (name, number) => ` ${name}, ${number}`,
  job: (id) => `작업 ${id}`,
  session: (end) => `세션 ${end}`,
  nothingRuns: '실행 중이거나 대기 중인 데스크톱이 없습니다.',
  ended: '종료됨',
  showMore: (n) => `${n}개 더 보기`,
  showFewer: '접기',

  name: '이름',
  nameOptional: '이름(선택 사항)',
  rename: '이름 바꾸기',
  renameTitle: '데스크톱 이름 바꾸기',
  nameHint: (most) =>
    `알아보기 쉬운 이름을 ${most}자까지 쓸 수 있습니다. 비우면 이름이 없어집니다.`,
  nameWrong: (most) => `다른 이름을 쓰세요. 눈에 보이는 문자로 ${most}자까지 쓸 수 있습니다.`,
  save: '저장',
  saving: '저장하는 중…',
  cancel: '취소',

  delete: '삭제',
  deleteAll: '종료된 것 모두 삭제',
  deleteTitle: '이 기록을 삭제할까요?',
  deleteAllTitle: (n) => `종료된 데스크톱 ${n}개를 삭제할까요?`,
  deleteBody: '이 데스크톱의 기록과 로그가 삭제됩니다. 홈 디렉터리의 파일은 그대로 남습니다.',
  deleteAllBody: '데스크톱의 기록과 로그가 삭제됩니다. 홈 디렉터리의 파일은 그대로 남습니다.',
  keep: '그대로 두기',
  keepAll: '그대로 두기',
  deleting: '삭제하는 중…',
  deleteKept: (n) => `데스크톱 ${n}개를 삭제하지 못했습니다.`,
  deleteKeptMore: (n) => `그 밖에 ${n}개`,
};
