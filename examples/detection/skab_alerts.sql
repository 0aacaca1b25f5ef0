-- One row when trouble begins and one when it ends, with the numbers behind it. The condition is that of skab_verdicts.sql; `episode` sends
-- the change, once it has lasted for 3 readings (10 to clear).
SELECT datetime,
       episode(adaptive_alarm("Volume Flow RateRMS", 15, 200, 5, 400) OVER (PARTITION BY topic(2))
                 OR adaptive_alarm(Accelerometer1RMS, 15, 200, 5, 400) OVER (PARTITION BY topic(2))
                 OR adaptive_alarm(Accelerometer2RMS, 15, 200, 5, 400) OVER (PARTITION BY topic(2)), 3, 10)
         OVER (PARTITION BY topic(2)) AS event,
       adaptive(         "Volume Flow RateRMS", 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS flow_score,
       adaptive_average( "Volume Flow RateRMS", 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS flow,
       adaptive_baseline("Volume Flow RateRMS", 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS flow_baseline,
       adaptive_limit(   "Volume Flow RateRMS", 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS flow_limit,
       adaptive(Accelerometer1RMS, 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS vibration1_score,
       adaptive(Accelerometer2RMS, 15, 200, 5, 400) OVER (PARTITION BY topic(2)) AS vibration2_score
FROM 'rigs/+'
WHERE event IS NOT NULL
