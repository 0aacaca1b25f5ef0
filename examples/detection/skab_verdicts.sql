-- One row a reading: is the pump rig in trouble? For scoring and for dashboards; what a site sends is skab_alerts.sql.
-- Three channels answer at once to what can go wrong with a pump: its flow, and the vibration at both of its ends. Temperatures are left
-- out because they follow the weather and the hours of work. Each channel has its own baseline: the mean of the last 15 readings is in
-- alarm when it is more than five times as far from the 200 before as it usually is. After 400 readings the new state counts as normal.
SELECT datetime,
       adaptive(  "Volume Flow RateRMS", 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS flow,
       adaptive(  Accelerometer1RMS,     15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS vibration1,
       adaptive(  Accelerometer2RMS,     15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS vibration2,
       adaptive_alarm("Volume Flow RateRMS", 15, 200, 5, 400) OVER (PARTITION BY topic(2))
         OR adaptive_alarm(Accelerometer1RMS, 15, 200, 5, 400) OVER (PARTITION BY topic(2))
         OR adaptive_alarm(Accelerometer2RMS, 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS alarm
FROM 'rigs/+'
