import type { Reasons } from '../en';

/**
 * Why a session waits or ended or a call is refused, by the server's code; the server's own sentences are English.
 * `{message}` is that sentence, where it quotes a program or a log: the quotation is what helps.
 */
export const reasons: Reasons = {
  None: 'Slurm이 작업을 받았고 곧 배정합니다.',
  Priority: '우선순위가 더 높은 작업이 앞에 있습니다.',
  Resources: 'CPU, 메모리 또는 GPU가 비기를 기다리고 있습니다.',
  QOSMaxGRESPerUser:
    '동시에 쓸 수 있는 GPU를 모두 사용하고 있습니다. 다른 GPU 작업이 끝나면 시작됩니다.',
  QOSMaxPerUser: '동시에 쓸 수 있는 자원을 모두 사용하고 있습니다. 다른 작업이 끝나면 시작됩니다.',
  GroupLimit: '소속 그룹이 쓸 수 있는 자원을 모두 사용하고 있습니다. 일부가 끝나면 시작됩니다.',
  QOSMaxWallDurationPerJobLimit:
    'QoS가 허용하는 것보다 긴 시간을 요청했습니다. 기다려도 시작되지 않으니 중지하고 더 짧게 다시 실행하세요.',
  LimitPerJob:
    '작업 하나에 허용된 것보다 많이 요청했습니다. 기다려도 시작되지 않으니 중지하고 줄여서 다시 실행하세요.',
  PartitionTimeLimit:
    '파티션이 허용하는 것보다 긴 시간을 요청했습니다. 기다려도 시작되지 않으니 중지하고 더 짧게 다시 실행하세요.',
  InvalidQOS: '이 파티션에서 해당 QoS를 사용할 권한이 없습니다. 관리자에게 문의하세요.',
  PartitionDown: '관리자가 파티션을 잠시 꺼 두었습니다.',
  ReqNodeNotAvail: '파티션의 노드가 지금 꺼져 있거나 점검 또는 예약 중입니다.',
  Reservation: '예약이 시작되거나 끝나기를 기다리고 있습니다.',
  ReservationDeleted:
    '기다리던 예약이 삭제되어 작업이 보류되었고 시작되지 않습니다. 중지한 뒤 다시 실행하세요.',
  Requeued: 'Slurm이 작업을 다시 대기열에 넣고 있습니다.',
  RequeueHold: '작업이 대기열로 돌아가 보류되어 있습니다. scontrol release로 해제하세요.',
  SpecialExit: '작업이 대기열로 돌아가 보류되어 있습니다. 관리자에게 알려 주세요.',
  Dependency: '요청한 대로 다른 작업이 끝나기를 기다리고 있습니다.',
  BeginAsked: '요청한 시각이 되기를 기다리고 있습니다.',
  BeginTime: '잠시 후 Slurm이 다시 배정을 시도합니다.',
  Licenses: '사용 가능한 라이선스를 기다리고 있습니다.',
  JobHeldUser: '작업이 보류되어 있습니다. scontrol release로 해제하세요.',
  JobHeldAdmin: '관리자가 작업을 보류했습니다. 관리자에게 문의하세요.',
  LaunchFailed: 'Slurm이 노드에서 작업을 시작하지 못했습니다. 관리자에게 알려 주세요.',
  LocalSlots: '이 컴퓨터에서 동시에 실행할 수 있는 수에 도달했습니다. 하나가 끝나면 시작됩니다.',
  Submitting: '배치 시스템에 작업을 제출하는 중입니다.',
  RunnerBegins: '이 컴퓨터에서 실행을 시작하는 중입니다.',
  RunnerUnconfirmed: '이 컴퓨터에서 실행을 시작했는지 아직 확인하지 못했습니다. 확인하는 중입니다.',
  SubmitUnconfirmed: '제출했지만 배치 시스템의 확인을 아직 받지 못했습니다. 확인하는 중입니다.',
  StoppedByUser: '직접 중지했습니다.',
  StartTimeout:
    '정해진 시간 안에 데스크톱이 준비되지 않아 종료했습니다. 로그를 확인하고 다시 시작하세요.',
  LoggedOut: '데스크톱에서 로그아웃했습니다.',
  ApplicationEnded: '프로그램을 종료했습니다.',
  TimeLimit: '요청한 사용 시간이 끝났습니다.',
  TIMEOUT: '요청한 사용 시간이 끝났습니다.',
  CancelledOutside: '외부에서 작업을 종료했습니다(scancel, 선점 또는 관리자).',
  EndedOutside: '외부에서 세션을 종료했습니다(컴퓨터 종료 또는 프로세스 강제 종료).',
  Ended: '외부에서 작업을 종료했습니다.',
  JobEnded: '데스크톱이 실행되던 작업이 끝났습니다.',
  EndedThere: '데스크톱이 실행되던 작업이 끝났거나 노드에서 데스크톱이 종료되었습니다.',
  DesktopSilent:
    '데스크톱에서 오랫동안 보고가 없습니다. 작업은 데스크톱 없이 계속되고 있으니 다시 시작하세요.',
  AgentKilled: '노드의 에이전트가 강제로 종료되었습니다. 메모리가 부족했다면 더 많이 요청하세요.',
  SubmitLost: '배치 시스템이 응답하지 않아 작업이 접수되지 않았습니다. 다시 시작하세요.',
  JobLost:
    'Slurm이 작업을 잃어버렸습니다. 컨트롤러에 작업이 없고 노드의 보고도 끊겼습니다. 다시 시작하세요.',
  JobUnknown: '배치 시스템에 이 작업의 기록이 더 이상 없습니다.',
  RunnerGone: '컴퓨터가 다시 시작되었거나 세션을 관리하던 프로그램이 종료되었습니다.',
  NothingFree:
    '노드에 남은 디스플레이나 포트가 없습니다. 나중에 또는 다른 노드에서 다시 시작하세요.',
  DisplaysTaken:
    'X 서버가 시작되기 직전에 노드의 다른 사용자가 디스플레이를 차지했습니다. 다른 노드에서 다시 시작하고, 반복되면 관리자에게 알려 주세요. 누구인지는 agent 로그에 있습니다.',
  COMPLETED: '작업이 끝났습니다.',
  NodeStarts: 'Slurm이 먼저 노드를 켜고 있습니다. 몇 분 걸립니다.',
  NodePrepares: '노드에서 작업을 준비하고 있습니다.',
  Suspended: 'Slurm이 작업을 일시 정지했습니다. 다시 시작될 때까지 데스크톱이 멈춥니다.',
  BOOT_FAIL: '노드를 켜지 못했습니다. 관리자에게 알려 주세요.',
  RECONFIG_FAIL: '노드를 준비하지 못했습니다. 관리자에게 알려 주세요.',
  LAUNCH_FAILED: 'Slurm이 노드에서 작업을 시작하지 못했습니다. 관리자에게 알려 주세요.',
  DEADLINE: '작업의 마감 시각이 지났습니다.',
  REVOKED: '연합의 다른 클러스터가 작업을 가져갔습니다. 다시 시작하세요.',
  NoLog:
    '노드에서 작업이 시작되지 못했고 로그도 없습니다. 노드가 세션 디렉터리를 볼 수 없는 경우가 많습니다. 관리자에게 알려 주세요(moonlight-hpc doctor).',
  NODE_FAIL: '노드가 고장 났거나 Slurm과 연결이 끊겼습니다.',
  PREEMPTED: '우선순위가 더 높은 작업에 자리를 내주었습니다.',
  OUT_OF_MEMORY: '요청한 것보다 많은 메모리를 사용했습니다. 더 많이 요청하세요.',
  limit_reached: '동시에 쓸 수 있는 데스크톱 수에 도달했습니다. 하나를 중지한 뒤 다시 실행하세요.',
  session_lives: '아직 끝나지 않은 데스크톱입니다. 완전히 종료된 뒤에 삭제하세요.',
  choices_changed: '다른 창에서 설정이 바뀌어 저장하지 않았습니다. 다시 시도하세요.',
  choices_unavailable: '설정을 읽거나 저장할 수 없습니다: {message}',
  records_unwritable:
    '세션을 기록할 디스크 공간이 없어 아무것도 제출되지 않았습니다. 공간을 비운 뒤 다시 실행하세요.',
  image_unavailable: '이 데스크톱은 지금 사용할 수 없습니다. 다른 것을 고르세요.',
  no_client_waits:
    'PIN을 기다리는 클라이언트가 없습니다. 먼저 Moonlight에서 이 데스크톱을 선택한 뒤 표시된 PIN을 입력하세요.',
  not_running: '데스크톱이 실행 중이 아닙니다.',
  text_too_long: '텍스트가 너무 깁니다. 나누어 보내세요.',
  picture_off: '이 사이트에서는 데스크톱의 화면을 목록에 표시하지 않습니다.',
  picture_hidden: '이 데스크톱의 화면을 숨겼습니다. 먼저 다시 표시하세요.',
  picture_failed: '지금은 데스크톱의 화면을 가져올 수 없습니다. 잠시 후 다시 시도하세요.',
  no_client: '이 서버에는 화면을 보여 줄 selkies가 설치되어 있지 않습니다. 관리자에게 알려 주세요.',
  sharing_off: '이 사이트에서는 데스크톱을 공유할 수 없습니다.',
  no_invitation: '그 초대는 이미 끝났습니다.',
  invalid_invitation: '초대를 만들거나 바꿀 수 없습니다. 이름과 권한, 기간을 확인하세요.',
  too_many_invitations: '초대가 너무 많습니다. 먼저 하나를 끝내세요.',
  clipboard_off: '이 사이트에서는 클립보드 텍스트를 이 방향으로 보낼 수 없습니다.',
  node_away: '데스크톱이 실행되는 노드가 응답하지 않습니다. 잠시 후 다시 시도하세요.',
  host_away: '스트리밍 프로그램이 응답하지 않습니다. 잠시 후 다시 시도하세요.',
  token_refused: '포털 로그인이 만료되었거나 유효하지 않습니다. 포털에서 다시 로그인하세요.',
  token_unclear: '지금은 포털 로그인을 확인할 수 없습니다. 잠시 후 다시 시도하세요.',
  store_unavailable:
    '포털의 세션 기록 저장소(Redis)를 지금 사용할 수 없습니다. 잠시 후 다시 시도하세요.',
  user_side_busy: '처리 중인 요청이 너무 많습니다. 잠시 후 다시 시도하세요.',
  user_side_timeout:
    '홈 디렉터리가 응답하지 않아 제시간에 처리하지 못했습니다. 요청한 일이 나중에 처리될 수 있으니 잠시 후 다시 확인하세요.',
  too_many_requests: '요청이 너무 많아 잠시 제한되었습니다. 잠시 후 다시 시도하세요.',
  scheduler_unavailable:
    '배치 시스템이 응답하지 않아 요청한 일을 하지 못했습니다. 잠시 후 다시 시도하세요.',
  ImageMissing: '여기에 설치되어 있지 않습니다.',
  ImageForbidden: '사용 권한이 없습니다. 관리자에게 요청하세요.',
  ImageUntrusted:
    '다른 사용자가 파일을 바꿀 수 있어 사용을 막아 두었습니다. 관리자에게 알려 주세요.',
  ImageBroken: '파일을 읽을 수 없습니다. 관리자에게 알려 주세요.',
  internal_error: '서버에 오류가 생겼습니다. 관리자에게 알려 주세요.',
  invalid_request: '입력한 값을 확인하세요: {message}',
  not_found: '찾을 수 없습니다. 기록이 지워졌거나 다른 사용자의 것입니다.',
  forbidden: '권한이 없습니다.',
  not_in_job: '현재 작업이 끝났거나 없어서 여기에서 시작할 수 없습니다. 새 작업으로 실행하세요.',
  scheduler_refused: '배치 시스템이 작업을 거부했습니다: {message}',
  submit_unconfirmed: '제출했지만 배치 시스템의 확인을 받지 못했습니다. 잠시 후 목록을 확인하세요.',
  unsafe_directory: '디렉터리가 본인 전용이 아니어서 사용하지 않았습니다: {message}',
  user_side_unavailable:
    '포털이 사용자를 대신해 실행할 수 없습니다. 관리자에게 알려 주세요: {message}',
  user_side_failed: '사용자 계정으로 처리하지 못했습니다. 관리자에게 알려 주세요: {message}',
  too_large: '요청이 너무 큽니다.',
  ended: '데스크톱이 종료되었습니다.',
  files_off: '이 사이트에서는 파일을 이 방향으로 보낼 수 없습니다.',
  bad_name:
    '파일 이름에 제어 문자가 있거나 이름이 너무 깁니다(최대 255바이트). 이름을 바꾸어 다시 보내세요.',
  not_permitted: '그 위치를 읽거나 쓸 권한이 없습니다. 본인 소유의 폴더를 선택하세요.',
  outside: '홈과 사이트가 허용한 디렉터리 밖에 있습니다. 다른 폴더를 선택하세요.',
  no_such_file: '파일이나 폴더가 없거나 이미 지워졌습니다. 폴더를 다시 확인하세요.',
  no_such_upload: '서버에 이 전송 기록이 없습니다. 다시 보내면 이어서 전송됩니다.',
  no_such_ticket: '내려받기 주소가 만료되었습니다. 목록에서 다시 가져오세요.',
  name_taken: '같은 이름의 파일이 너무 많습니다. 이름을 바꾸어 다시 보내세요.',
  wrong_kind: '일반 파일이나 폴더가 아니어서 사용할 수 없습니다.',
  wrong_offset: '이어서 보낼 위치가 맞지 않습니다. 다시 보내면 이어서 전송됩니다.',
  upload_busy: '앞서 받은 부분을 아직 쓰는 중입니다. 잠시 후 다시 시도하세요.',
  disk_full: '디스크에 남은 공간이 부족합니다. 공간을 비우거나 다른 디스크의 폴더를 선택하세요.',
  quota_full:
    '디스크 할당량을 모두 사용했습니다. 필요 없는 파일을 지우거나 다른 폴더를 선택하세요.',
  too_large_there:
    '그 위치에는 이렇게 큰 파일을 저장할 수 없습니다. 다른 디스크의 폴더를 선택하세요.',
  file_system_failed: '파일 시스템에 문제가 있습니다. 잠시 후 다시 시도하세요: {message}',
  Stopping: '데스크톱을 종료하는 중입니다.',
};
