<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>Actions</name>
    <message>
        <source>Start</source>
        <translation>启动</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Trigger</source>
        <translation>触发</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>确认</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>未连接到检测站。</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>没有需要确认的内容。</translation>
    </message>
    <message>
        <source>Not while the station is: {state}.</source>
        <translation>检测站处于“{state}”时不可用。</translation>
    </message>
</context>
<context>
    <name>Banners</name>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected. For {since}.</source>
        <translation>旁路：零件照常检测，但不剔除。已持续 {since}。</translation>
    </message>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected.</source>
        <translation>旁路：零件照常检测，但不剔除。</translation>
    </message>
    <message>
        <source>CHALLENGE TEST: the parts are test parts.</source>
        <translation>挑战测试：当前零件为测试件。</translation>
    </message>
    <message>
        <source>SIMULATION: pictures and parts are not real.</source>
        <translation>模拟：图像和零件不是真实的。</translation>
    </message>
    <message>
        <source>The station does not answer since {since}. What you see is old.</source>
        <translation>检测站自 {since} 起无响应。当前显示的是旧数据。</translation>
    </message>
    <message>
        <source>No connection to the station since {since}. What you see is old. Trying again …</source>
        <translation>自 {since} 起与检测站断开连接。当前显示的是旧数据。正在重试……</translation>
    </message>
</context>
<context>
    <name>FaultCard</name>
    <message>
        <source>What to do: {cure}</source>
        <translation>处理方法：{cure}</translation>
    </message>
    <message>
        <source>{since} to {until}  ·  {key}</source>
        <translation>{since} 至 {until}  ·  {key}</translation>
    </message>
    <message>
        <source>Since {since}, {age}  ·  {key}</source>
        <translation>自 {since} 起，{age}  ·  {key}</translation>
    </message>
    <message>
        <source>stays until it is acknowledged</source>
        <translation>需确认后才会消除</translation>
    </message>
</context>
<context>
    <name>FaultsPage</name>
    <message>
        <source>Faults</source>
        <translation>故障</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>确认</translation>
    </message>
    <message>
        <source>No fault</source>
        <translation>没有故障</translation>
    </message>
    <message>
        <source>Over</source>
        <translation>已结束</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>没有需要确认的内容。</translation>
    </message>
</context>
<context>
    <name>FrameView</name>
    <message>
        <source>No picture yet</source>
        <translation>尚无图像</translation>
    </message>
</context>
<context>
    <name>LinePage</name>
    <message>
        <source>A part of the station could not be read: {why}</source>
        <translation>无法读取检测站发来的零件：{why}</translation>
    </message>
</context>
<context>
    <name>LiveView</name>
    <message>
        <source>OLD PICTURE</source>
        <translation>旧图像</translation>
    </message>
</context>
<context>
    <name>LoginDialog</name>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
</context>
<context>
    <name>LoginForm</name>
    <message>
        <source>User</source>
        <translation>用户</translation>
    </message>
    <message>
        <source>Password</source>
        <translation>密码</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
    <message>
        <source>Give the name and the password.</source>
        <translation>请输入用户名和密码。</translation>
    </message>
</context>
<context>
    <name>LoginPage</name>
    <message>
        <source>Log in to see this station</source>
        <translation>请登录以查看此检测站</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
</context>
<context>
    <name>Numbers</name>
    <message>
        <source>Triggers</source>
        <translation>触发数</translation>
    </message>
    <message>
        <source>In flight</source>
        <translation>处理中</translation>
    </message>
    <message>
        <source>Yield</source>
        <translation>合格率</translation>
    </message>
    <message>
        <source>Parts a minute</source>
        <translation>每分钟零件数</translation>
    </message>
    <message>
        <source>Latency p50, ms</source>
        <translation>延迟 p50，毫秒</translation>
    </message>
    <message>
        <source>Latency p99, ms</source>
        <translation>延迟 p99，毫秒</translation>
    </message>
</context>
<context>
    <name>Strip</name>
    <message>
        <source>Not answering</source>
        <translation>无响应</translation>
    </message>
    <message>
        <source>{n} faults</source>
        <translation>{n} 个故障</translation>
    </message>
    <message>
        <source>1 fault</source>
        <translation>1 个故障</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>未知</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
</context>
<context>
    <name>Tiles</name>
    <message>
        <source>Camera {name}</source>
        <translation>相机 {name}</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>磁盘</translation>
    </message>
    <message>
        <source>{n} dropped</source>
        <translation>丢弃 {n}</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>已连接</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>未连接</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>未知</translation>
    </message>
    <message>
        <source>{size} free</source>
        <translation>可用 {size}</translation>
    </message>
    <message>
        <source>images {size}</source>
        <translation>图像 {size}</translation>
    </message>
</context>
<context>
    <name>VerdictBand</name>
    <message>
        <source>Verdicts are not known here.</source>
        <translation>此处无法得知判定结果。</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>等待中</translation>
    </message>
    <message>
        <source>No part yet.</source>
        <translation>尚无零件。</translation>
    </message>
    <message>
        <source>Part {id}</source>
        <translation>零件 {id}</translation>
    </message>
    <message>
        <source>Last part: {id}, {word}</source>
        <translation>上一个零件：{id}，{word}</translation>
    </message>
</context>
<context>
    <name>Window</name>
    <message>
        <source>Connecting to {url} …</source>
        <translation>正在连接 {url} ……</translation>
    </message>
    <message>
        <source>{user} is logged in.</source>
        <translation>{user} 已登录。</translation>
    </message>
    <message>
        <source>Your login has ended. Log in again.</source>
        <translation>登录已失效，请重新登录。</translation>
    </message>
    <message>
        <source>Logged out: nobody was at the screen.</source>
        <translation>已注销：长时间无人操作。</translation>
    </message>
    <message>
        <source>Log out</source>
        <translation>注销</translation>
    </message>
    <message>
        <source>Log in …</source>
        <translation>登录……</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>全屏</translation>
    </message>
</context>
<context>
    <name>calls</name>
    <message>
        <source>The station did not answer in time. Try again.</source>
        <translation>检测站未及时响应，请重试。</translation>
    </message>
    <message>
        <source>The station cannot be reached: {why}</source>
        <translation>无法连接检测站：{why}</translation>
    </message>
    <message>
        <source>The station's answer is not known to this screen. Use the screen of the station's version.</source>
        <translation>此界面无法识别检测站的回答。请使用与检测站版本一致的界面。</translation>
    </message>
    <message>
        <source>{path} is no picture that this screen can show.</source>
        <translation>{path} 不是此界面可显示的图像。</translation>
    </message>
    <message>
        <source>The station refused: {status}</source>
        <translation>检测站拒绝：{status}</translation>
    </message>
</context>
<context>
    <name>pages</name>
    <message>
        <source>Line</source>
        <translation>产线</translation>
    </message>
    <message>
        <source>Rejects</source>
        <translation>剔除件</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>复检</translation>
    </message>
    <message>
        <source>Trends</source>
        <translation>趋势</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>配方</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>测试</translation>
    </message>
    <message>
        <source>Faults</source>
        <translation>故障</translation>
    </message>
</context>
<context>
    <name>stream</name>
    <message>
        <source>{url} has no partsight API of version {ours}.</source>
        <translation>{url} 没有版本 {ours} 的 partsight API。</translation>
    </message>
    <message>
        <source>The station has said nothing for some seconds.</source>
        <translation>检测站已有数秒没有消息。</translation>
    </message>
    <message>
        <source>A message of the station could not be read: {why}</source>
        <translation>无法读取检测站的消息：{why}</translation>
    </message>
    <message>
        <source>A picture of the station could not be read: {why}</source>
        <translation>无法读取检测站的图像：{why}</translation>
    </message>
    <message>
        <source>The station speaks version {theirs} of the API, this screen version {ours}. Use the screen of the station's version.</source>
        <translation>检测站使用 API 版本 {theirs}，此界面使用版本 {ours}。请使用与检测站版本一致的界面。</translation>
    </message>
    <message>
        <source>The connection broke off.</source>
        <translation>连接已中断。</translation>
    </message>
    <message>
        <source>The station refused the stream: {why}</source>
        <translation>检测站拒绝了数据流：{why}</translation>
    </message>
</context>
<context>
    <name>words</name>
    <message>
        <source>OK</source>
        <translation>合格</translation>
    </message>
    <message>
        <source>NG</source>
        <translation>不合格</translation>
    </message>
    <message>
        <source>REVIEW</source>
        <translation>待复检</translation>
    </message>
    <message>
        <source>INVALID</source>
        <translation>无效</translation>
    </message>
    <message>
        <source>Starting up</source>
        <translation>启动中</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>运行中</translation>
    </message>
    <message>
        <source>Held</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Suspended</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>Halted</source>
        <translation>已停机</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>错误</translation>
    </message>
    <message>
        <source>Production</source>
        <translation>生产</translation>
    </message>
    <message>
        <source>Simulation</source>
        <translation>模拟</translation>
    </message>
    <message>
        <source>Challenge test</source>
        <translation>挑战测试</translation>
    </message>
    <message>
        <source>Bypass</source>
        <translation>旁路</translation>
    </message>
    <message>
        <source>Viewer</source>
        <translation>查看者</translation>
    </message>
    <message>
        <source>Operator</source>
        <translation>操作员</translation>
    </message>
    <message>
        <source>Engineer</source>
        <translation>工程师</translation>
    </message>
    <message>
        <source>Administrator</source>
        <translation>管理员</translation>
    </message>
    <message>
        <source>Log in as {role} for this.</source>
        <translation>请以{role}身份登录后操作。</translation>
    </message>
    <message>
        <source>Connecting</source>
        <translation>连接中</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>已连接</translation>
    </message>
    <message>
        <source>No answer</source>
        <translation>无响应</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>未连接</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>登录</translation>
    </message>
    <message>
        <source>Other version</source>
        <translation>版本不同</translation>
    </message>
    <message>
        <source>Opening</source>
        <translation>打开中</translation>
    </message>
    <message>
        <source>Streaming</source>
        <translation>采集中</translation>
    </message>
    <message>
        <source>Armed</source>
        <translation>等待触发</translation>
    </message>
    <message>
        <source>No pictures</source>
        <translation>无图像</translation>
    </message>
    <message>
        <source>Reconnecting</source>
        <translation>重新连接</translation>
    </message>
    <message>
        <source>Ended</source>
        <translation>已结束</translation>
    </message>
    <message>
        <source>Fault</source>
        <translation>故障</translation>
    </message>
    <message>
        <source>pass</source>
        <translation>放行</translation>
    </message>
    <message>
        <source>reject</source>
        <translation>剔除</translation>
    </message>
    <message>
        <source>hold</source>
        <translation>扣留</translation>
    </message>
    <message>
        <source>image is black</source>
        <translation>图像全黑</translation>
    </message>
    <message>
        <source>image is over-exposed</source>
        <translation>图像过曝</translation>
    </message>
    <message>
        <source>image is blurred</source>
        <translation>图像模糊</translation>
    </message>
    <message>
        <source>image is the same as the one before</source>
        <translation>图像与上一张相同</translation>
    </message>
    <message>
        <source>image has the wrong size</source>
        <translation>图像尺寸错误</translation>
    </message>
    <message>
        <source>image cannot be read</source>
        <translation>无法读取图像</translation>
    </message>
    <message>
        <source>image is too dark or too bright</source>
        <translation>图像过暗或过亮</translation>
    </message>
    <message>
        <source>too many saturated pixels</source>
        <translation>饱和像素过多</translation>
    </message>
    <message>
        <source>no image came for the trigger</source>
        <translation>触发后没有图像</translation>
    </message>
    <message>
        <source>camera is lost</source>
        <translation>相机丢失</translation>
    </message>
    <message>
        <source>image is incomplete</source>
        <translation>图像不完整</translation>
    </message>
    <message>
        <source>a camera's view is missing</source>
        <translation>缺少某台相机的视图</translation>
    </message>
    <message>
        <source>no verdict in time</source>
        <translation>未及时得出判定</translation>
    </message>
    <message>
        <source>too many parts at once</source>
        <translation>零件过多过密</translation>
    </message>
    <message>
        <source>station was started again</source>
        <translation>检测站已重新启动</translation>
    </message>
    <message>
        <source>station was not running</source>
        <translation>检测站未运行</translation>
    </message>
    <message>
        <source>record could not be written</source>
        <translation>无法写入记录</translation>
    </message>
    <message>
        <source>internal fault</source>
        <translation>内部故障</translation>
    </message>
    <message>
        <source>station was shutting down</source>
        <translation>检测站正在关闭</translation>
    </message>
    <message>
        <source>model failed</source>
        <translation>模型失败</translation>
    </message>
    <message>
        <source>model is stuck</source>
        <translation>模型卡住</translation>
    </message>
    <message>
        <source>no part is there</source>
        <translation>没有零件</translation>
    </message>
    <message>
        <source>part is out of place</source>
        <translation>零件位置偏移</translation>
    </message>
    <message>
        <source>part is turned</source>
        <translation>零件旋转</translation>
    </message>
    <message>
        <source>wrong part</source>
        <translation>零件错误</translation>
    </message>
    <message>
        <source>wrong number of features</source>
        <translation>特征数量错误</translation>
    </message>
    <message>
        <source>no evidence that the part is good</source>
        <translation>没有证据表明零件合格</translation>
    </message>
    <message>
        <source>doubtful</source>
        <translation>存疑</translation>
    </message>
    <message>
        <source>{n} s</source>
        <translation>{n} 秒</translation>
    </message>
    <message>
        <source>{n} min</source>
        <translation>{n} 分钟</translation>
    </message>
    <message>
        <source>{h} h {m} min</source>
        <translation>{h} 小时 {m} 分钟</translation>
    </message>
    <message>
        <source>{n} days</source>
        <translation>{n} 天</translation>
    </message>
</context>
</TS>
