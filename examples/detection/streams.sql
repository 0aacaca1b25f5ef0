-- Any stream of numbers, nothing known about it (the Numenta benchmark's files): one row when it begins to behave in a new way.
-- Two questions: is its mean over 5 readings further from the 200 before than it ever usually is (adaptive), and is the reading itself
-- outside of everything seen in the last 4,000 (beyond)? After an event it must be quiet for 100 readings before there is another.
SELECT timestamp, value,
       adaptive(value, 5, 200, 6, 200) OVER (PARTITION BY topic(2)) AS score,
       beyond(value, 4000, 150) OVER (PARTITION BY topic(2)) AS outside
FROM 'streams/+'
WHERE episode(adaptive_alarm(value, 5, 200, 6, 200) OVER (PARTITION BY topic(2))
                OR ifnull(beyond(value, 4000, 150) OVER (PARTITION BY topic(2)), 0) <> 0, 1, 100)
        OVER (PARTITION BY topic(2)) = 'onset'
