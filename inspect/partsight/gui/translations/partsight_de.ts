<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>Actions</name>
    <message>
        <source>Start</source>
        <translation>Start</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Stopp</translation>
    </message>
    <message>
        <source>Trigger</source>
        <translation>Auslösen</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>Quittieren</translation>
    </message>
    <message>
        <source>No connection to the station.</source>
        <translation>Keine Verbindung zur Station.</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>Nichts zu quittieren.</translation>
    </message>
    <message>
        <source>Not while the station is: {state}.</source>
        <translation>Nicht, solange die Station so ist: {state}.</translation>
    </message>
</context>
<context>
    <name>Banners</name>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected. For {since}.</source>
        <translation>BYPASS: Teile werden geprüft, nichts wird ausgeworfen. Seit {since}.</translation>
    </message>
    <message>
        <source>BYPASS: parts are inspected, nothing is rejected.</source>
        <translation>BYPASS: Teile werden geprüft, nichts wird ausgeworfen.</translation>
    </message>
    <message>
        <source>CHALLENGE TEST: the parts are test parts.</source>
        <translation>PRÜFTEST: Die Teile sind Testteile.</translation>
    </message>
    <message>
        <source>SIMULATION: pictures and parts are not real.</source>
        <translation>SIMULATION: Bilder und Teile sind nicht echt.</translation>
    </message>
    <message>
        <source>The station does not answer since {since}. What you see is old.</source>
        <translation>Die Station antwortet seit {since} nicht. Was Sie sehen, ist alt.</translation>
    </message>
    <message>
        <source>No connection to the station since {since}. What you see is old. Trying again …</source>
        <translation>Keine Verbindung zur Station seit {since}. Was Sie sehen, ist alt. Neuer Versuch …</translation>
    </message>
</context>
<context>
    <name>FaultCard</name>
    <message>
        <source>What to do: {cure}</source>
        <translation>Was zu tun ist: {cure}</translation>
    </message>
    <message>
        <source>{since} to {until}  ·  {key}</source>
        <translation>{since} bis {until}  ·  {key}</translation>
    </message>
    <message>
        <source>Since {since}, {age}  ·  {key}</source>
        <translation>Seit {since}, {age}  ·  {key}</translation>
    </message>
    <message>
        <source>stays until it is acknowledged</source>
        <translation>bleibt bis zur Quittierung</translation>
    </message>
</context>
<context>
    <name>FaultsPage</name>
    <message>
        <source>Faults</source>
        <translation>Störungen</translation>
    </message>
    <message>
        <source>Acknowledge</source>
        <translation>Quittieren</translation>
    </message>
    <message>
        <source>No fault</source>
        <translation>Keine Störung</translation>
    </message>
    <message>
        <source>Over</source>
        <translation>Vorbei</translation>
    </message>
    <message>
        <source>Nothing to acknowledge.</source>
        <translation>Nichts zu quittieren.</translation>
    </message>
</context>
<context>
    <name>FrameView</name>
    <message>
        <source>No picture yet</source>
        <translation>Noch kein Bild</translation>
    </message>
</context>
<context>
    <name>LinePage</name>
    <message>
        <source>A part of the station could not be read: {why}</source>
        <translation>Ein Teil der Station war nicht lesbar: {why}</translation>
    </message>
</context>
<context>
    <name>LiveView</name>
    <message>
        <source>OLD PICTURE</source>
        <translation>ALTES BILD</translation>
    </message>
</context>
<context>
    <name>LoginDialog</name>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
</context>
<context>
    <name>LoginForm</name>
    <message>
        <source>User</source>
        <translation>Benutzer</translation>
    </message>
    <message>
        <source>Password</source>
        <translation>Passwort</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
    <message>
        <source>Give the name and the password.</source>
        <translation>Name und Passwort angeben.</translation>
    </message>
</context>
<context>
    <name>LoginPage</name>
    <message>
        <source>Log in to see this station</source>
        <translation>Anmelden, um diese Station zu sehen</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
</context>
<context>
    <name>Numbers</name>
    <message>
        <source>Triggers</source>
        <translation>Auslösungen</translation>
    </message>
    <message>
        <source>In flight</source>
        <translation>In Arbeit</translation>
    </message>
    <message>
        <source>Yield</source>
        <translation>Ausbeute</translation>
    </message>
    <message>
        <source>Parts a minute</source>
        <translation>Teile je Minute</translation>
    </message>
    <message>
        <source>Latency p50, ms</source>
        <translation>Latenz p50, ms</translation>
    </message>
    <message>
        <source>Latency p99, ms</source>
        <translation>Latenz p99, ms</translation>
    </message>
</context>
<context>
    <name>Strip</name>
    <message>
        <source>Not answering</source>
        <translation>Antwortet nicht</translation>
    </message>
    <message>
        <source>{n} faults</source>
        <translation>{n} Störungen</translation>
    </message>
    <message>
        <source>1 fault</source>
        <translation>1 Störung</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>Unbekannt</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
</context>
<context>
    <name>Tiles</name>
    <message>
        <source>Camera {name}</source>
        <translation>Kamera {name}</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>Platte</translation>
    </message>
    <message>
        <source>{n} dropped</source>
        <translation>{n} verworfen</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Keines</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>Verbunden</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>Keine Verbindung</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>Unbekannt</translation>
    </message>
    <message>
        <source>{size} free</source>
        <translation>{size} frei</translation>
    </message>
    <message>
        <source>images {size}</source>
        <translation>Bilder {size}</translation>
    </message>
</context>
<context>
    <name>VerdictBand</name>
    <message>
        <source>Verdicts are not known here.</source>
        <translation>Urteile sind hier nicht bekannt.</translation>
    </message>
    <message>
        <source>Waiting</source>
        <translation>Wartet</translation>
    </message>
    <message>
        <source>No part yet.</source>
        <translation>Noch kein Teil.</translation>
    </message>
    <message>
        <source>Part {id}</source>
        <translation>Teil {id}</translation>
    </message>
    <message>
        <source>Last part: {id}, {word}</source>
        <translation>Letztes Teil: {id}, {word}</translation>
    </message>
</context>
<context>
    <name>Window</name>
    <message>
        <source>Connecting to {url} …</source>
        <translation>Verbinde mit {url} …</translation>
    </message>
    <message>
        <source>{user} is logged in.</source>
        <translation>{user} ist angemeldet.</translation>
    </message>
    <message>
        <source>Your login has ended. Log in again.</source>
        <translation>Ihre Anmeldung ist abgelaufen. Bitte neu anmelden.</translation>
    </message>
    <message>
        <source>Logged out: nobody was at the screen.</source>
        <translation>Abgemeldet: Niemand war am Bildschirm.</translation>
    </message>
    <message>
        <source>Log out</source>
        <translation>Abmelden</translation>
    </message>
    <message>
        <source>Log in …</source>
        <translation>Anmelden …</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Hell</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Dunkel</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>Vollbild</translation>
    </message>
</context>
<context>
    <name>calls</name>
    <message>
        <source>The station did not answer in time. Try again.</source>
        <translation>Die Station hat nicht rechtzeitig geantwortet. Bitte erneut versuchen.</translation>
    </message>
    <message>
        <source>The station cannot be reached: {why}</source>
        <translation>Die Station ist nicht erreichbar: {why}</translation>
    </message>
    <message>
        <source>The station's answer is not known to this screen. Use the screen of the station's version.</source>
        <translation>Die Antwort der Station ist diesem Bildschirm unbekannt. Verwenden Sie den Bildschirm mit der Version der Station.</translation>
    </message>
    <message>
        <source>{path} is no picture that this screen can show.</source>
        <translation>{path} ist kein Bild, das dieser Bildschirm zeigen kann.</translation>
    </message>
    <message>
        <source>The station refused: {status}</source>
        <translation>Die Station hat abgelehnt: {status}</translation>
    </message>
</context>
<context>
    <name>pages</name>
    <message>
        <source>Line</source>
        <translation>Linie</translation>
    </message>
    <message>
        <source>Rejects</source>
        <translation>Ausschuss</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>Nachprüfen</translation>
    </message>
    <message>
        <source>Trends</source>
        <translation>Verlauf</translation>
    </message>
    <message>
        <source>Recipe</source>
        <translation>Rezept</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>Prüftest</translation>
    </message>
    <message>
        <source>Faults</source>
        <translation>Störungen</translation>
    </message>
</context>
<context>
    <name>stream</name>
    <message>
        <source>{url} has no partsight API of version {ours}.</source>
        <translation>{url} hat keine partsight-API der Version {ours}.</translation>
    </message>
    <message>
        <source>The station has said nothing for some seconds.</source>
        <translation>Die Station hat seit einigen Sekunden nichts gesagt.</translation>
    </message>
    <message>
        <source>A message of the station could not be read: {why}</source>
        <translation>Eine Nachricht der Station war nicht lesbar: {why}</translation>
    </message>
    <message>
        <source>A picture of the station could not be read: {why}</source>
        <translation>Ein Bild der Station war nicht lesbar: {why}</translation>
    </message>
    <message>
        <source>The station speaks version {theirs} of the API, this screen version {ours}. Use the screen of the station's version.</source>
        <translation>Die Station spricht Version {theirs} der API, dieser Bildschirm Version {ours}. Verwenden Sie den Bildschirm mit der Version der Station.</translation>
    </message>
    <message>
        <source>The connection broke off.</source>
        <translation>Die Verbindung ist abgebrochen.</translation>
    </message>
    <message>
        <source>The station refused the stream: {why}</source>
        <translation>Die Station hat den Datenstrom abgelehnt: {why}</translation>
    </message>
</context>
<context>
    <name>words</name>
    <message>
        <source>OK</source>
        <translation>OK</translation>
    </message>
    <message>
        <source>NG</source>
        <translation>NG</translation>
    </message>
    <message>
        <source>REVIEW</source>
        <translation>PRÜFEN</translation>
    </message>
    <message>
        <source>INVALID</source>
        <translation>UNGÜLTIG</translation>
    </message>
    <message>
        <source>Starting up</source>
        <translation>Startet</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>Gestoppt</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>Bereit</translation>
    </message>
    <message>
        <source>Running</source>
        <translation>Läuft</translation>
    </message>
    <message>
        <source>Held</source>
        <translation>Angehalten</translation>
    </message>
    <message>
        <source>Suspended</source>
        <translation>Unterbrochen</translation>
    </message>
    <message>
        <source>Halted</source>
        <translation>Stillgesetzt</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>Fehler</translation>
    </message>
    <message>
        <source>Production</source>
        <translation>Produktion</translation>
    </message>
    <message>
        <source>Simulation</source>
        <translation>Simulation</translation>
    </message>
    <message>
        <source>Challenge test</source>
        <translation>Prüftest</translation>
    </message>
    <message>
        <source>Bypass</source>
        <translation>Bypass</translation>
    </message>
    <message>
        <source>Viewer</source>
        <translation>Betrachter</translation>
    </message>
    <message>
        <source>Operator</source>
        <translation>Bediener</translation>
    </message>
    <message>
        <source>Engineer</source>
        <translation>Techniker</translation>
    </message>
    <message>
        <source>Administrator</source>
        <translation>Administrator</translation>
    </message>
    <message>
        <source>Log in as {role} for this.</source>
        <translation>Dafür als {role} anmelden.</translation>
    </message>
    <message>
        <source>Connecting</source>
        <translation>Verbindet</translation>
    </message>
    <message>
        <source>Connected</source>
        <translation>Verbunden</translation>
    </message>
    <message>
        <source>No answer</source>
        <translation>Keine Antwort</translation>
    </message>
    <message>
        <source>No connection</source>
        <translation>Keine Verbindung</translation>
    </message>
    <message>
        <source>Log in</source>
        <translation>Anmelden</translation>
    </message>
    <message>
        <source>Other version</source>
        <translation>Andere Version</translation>
    </message>
    <message>
        <source>Opening</source>
        <translation>Öffnet</translation>
    </message>
    <message>
        <source>Streaming</source>
        <translation>Liefert Bilder</translation>
    </message>
    <message>
        <source>Armed</source>
        <translation>Wartet auf Auslöser</translation>
    </message>
    <message>
        <source>No pictures</source>
        <translation>Keine Bilder</translation>
    </message>
    <message>
        <source>Reconnecting</source>
        <translation>Verbindet neu</translation>
    </message>
    <message>
        <source>Ended</source>
        <translation>Beendet</translation>
    </message>
    <message>
        <source>Fault</source>
        <translation>Störung</translation>
    </message>
    <message>
        <source>pass</source>
        <translation>weiter</translation>
    </message>
    <message>
        <source>reject</source>
        <translation>auswerfen</translation>
    </message>
    <message>
        <source>hold</source>
        <translation>festhalten</translation>
    </message>
    <message>
        <source>image is black</source>
        <translation>Bild ist schwarz</translation>
    </message>
    <message>
        <source>image is over-exposed</source>
        <translation>Bild ist überbelichtet</translation>
    </message>
    <message>
        <source>image is blurred</source>
        <translation>Bild ist unscharf</translation>
    </message>
    <message>
        <source>image is the same as the one before</source>
        <translation>Bild ist gleich dem vorigen</translation>
    </message>
    <message>
        <source>image has the wrong size</source>
        <translation>Bild hat die falsche Größe</translation>
    </message>
    <message>
        <source>image cannot be read</source>
        <translation>Bild ist nicht lesbar</translation>
    </message>
    <message>
        <source>image is too dark or too bright</source>
        <translation>Bild ist zu dunkel oder zu hell</translation>
    </message>
    <message>
        <source>too many saturated pixels</source>
        <translation>zu viele gesättigte Pixel</translation>
    </message>
    <message>
        <source>no image came for the trigger</source>
        <translation>kein Bild zur Auslösung</translation>
    </message>
    <message>
        <source>camera is lost</source>
        <translation>Kamera ist weg</translation>
    </message>
    <message>
        <source>image is incomplete</source>
        <translation>Bild ist unvollständig</translation>
    </message>
    <message>
        <source>a camera's view is missing</source>
        <translation>die Ansicht einer Kamera fehlt</translation>
    </message>
    <message>
        <source>no verdict in time</source>
        <translation>kein Urteil in der Zeit</translation>
    </message>
    <message>
        <source>too many parts at once</source>
        <translation>zu viele Teile auf einmal</translation>
    </message>
    <message>
        <source>station was started again</source>
        <translation>Station wurde neu gestartet</translation>
    </message>
    <message>
        <source>station was not running</source>
        <translation>Station lief nicht</translation>
    </message>
    <message>
        <source>record could not be written</source>
        <translation>Aufzeichnung nicht möglich</translation>
    </message>
    <message>
        <source>internal fault</source>
        <translation>innerer Fehler</translation>
    </message>
    <message>
        <source>station was shutting down</source>
        <translation>Station wurde heruntergefahren</translation>
    </message>
    <message>
        <source>model failed</source>
        <translation>Modell ist gescheitert</translation>
    </message>
    <message>
        <source>model is stuck</source>
        <translation>Modell hängt</translation>
    </message>
    <message>
        <source>no part is there</source>
        <translation>kein Teil vorhanden</translation>
    </message>
    <message>
        <source>part is out of place</source>
        <translation>Teil liegt falsch</translation>
    </message>
    <message>
        <source>part is turned</source>
        <translation>Teil ist verdreht</translation>
    </message>
    <message>
        <source>wrong part</source>
        <translation>falsches Teil</translation>
    </message>
    <message>
        <source>wrong number of features</source>
        <translation>falsche Anzahl Merkmale</translation>
    </message>
    <message>
        <source>no evidence that the part is good</source>
        <translation>kein Nachweis, dass das Teil gut ist</translation>
    </message>
    <message>
        <source>doubtful</source>
        <translation>zweifelhaft</translation>
    </message>
    <message>
        <source>{n} s</source>
        <translation>{n} s</translation>
    </message>
    <message>
        <source>{n} min</source>
        <translation>{n} min</translation>
    </message>
    <message>
        <source>{h} h {m} min</source>
        <translation>{h} h {m} min</translation>
    </message>
    <message>
        <source>{n} days</source>
        <translation>{n} Tage</translation>
    </message>
</context>
</TS>
