-- Blocks of raw acceleration of a bearing 6205-2RS (g, 12,000 samples a second, 2,048 and more a block; Case Western Reserve's rig): one row
-- for each block that is not healthy, with the part of the bearing that is damaged where its line in the envelope spectrum tells.
-- Impacts: kurtosis above 3.8 (noise has 3). A worn surface: between 2 and 5 kHz more than 0.09 g (half as much again as when healthy).
SELECT seq, rpm,
       wave_rms(wave) AS rms_g,
       wave_kurtosis(wave) AS kurtosis,
       wave_band_rms(wave, 12000, 2000, 5000) AS high_g,
       iso20816_zone(wave_velocity_rms(wave, 12000), 'group2-rigid') AS zone,
       bearing_fault(wave, 12000, rpm, 'balls=9 ball=7.94 pitch=39.04') AS fault
FROM 'machines/+/wave'
WHERE kurtosis > 3.8 OR high_g > 0.09
