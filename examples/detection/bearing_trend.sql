-- A bearing that wears out over hours (PRONOSTIA's features, one row in 10 s): a row when its peaks begin to grow, one if they stop.
-- The last 20 snapshots (3 minutes) against the 800 before (2 hours), and no learning again: what wears does not heal.
SELECT seconds, rms_h_g, peak_h_g,
       adaptive(         peak_h_g, 20, 800, 4, 0) OVER (PARTITION BY topic(2)) AS score,
       adaptive_average( peak_h_g, 20, 800, 4, 0) OVER (PARTITION BY topic(2)) AS peak_g,
       adaptive_baseline(peak_h_g, 20, 800, 4, 0) OVER (PARTITION BY topic(2)) AS baseline_g,
       adaptive_limit(   peak_h_g, 20, 800, 4, 0) OVER (PARTITION BY topic(2)) AS limit_g,
       episode(adaptive_alarm(peak_h_g, 20, 800, 4, 0) OVER (PARTITION BY topic(2)), 5, 5) OVER (PARTITION BY topic(2)) AS event
FROM 'bearings/+'
WHERE event IS NOT NULL
