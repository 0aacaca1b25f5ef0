// Features of a block of raw waveform. All of them take the block less its own mean: the offset of a sensor says nothing of a vibration.
#pragma once

#include <complex>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace sluice::rules {

/// The block less its mean, in place.
void remove_mean(std::span<double> block);

struct Band {
    double low;   ///< Hz
    double high;  ///< Hz
};

/// Features that need a Fourier transform. Owned by one thread: plans are made once a length and kept, buffers are reused.
///
/// Of a block whose length is not a product of 2, 3 and 5 the first values are taken, as many as are one (at least 15/16 of them): so that
/// no length, which a device chooses, makes the transform slow.
class SpectrumAnalyzer {
public:
    SpectrumAnalyzer();
    ~SpectrumAnalyzer();
    SpectrumAnalyzer(const SpectrumAnalyzer&) = delete;
    SpectrumAnalyzer& operator=(const SpectrumAnalyzer&) = delete;

    static constexpr std::size_t kLengthMin = 8;

    /// Root mean square of what lies within the band. Hann window, its loss of energy made good; the block must have no mean.
    [[nodiscard]] double band_rms(std::span<const double> block, double rate, Band band);
    /// The same of the integral over time: of acceleration, velocity. Integrated in the spectrum, a line of frequency f divided by 2πf.
    [[nodiscard]] double integrated_rms(std::span<const double> block, double rate, Band band);

    /// Spectrum of the squared envelope of the band: where impacts repeat, lines stand at their rate and its multiples, whatever resonance
    /// they excite (Randall and Antoni, "Rolling element bearing diagnostics - a tutorial", MSSP 25, 2011). The band is cut out of the
    /// spectrum, its analytic signal squared, its mean removed, and a Hann window put on.
    class Envelope {
    public:
        /// How many times the power at `line` stands over the median of the spectrum from 0 to `upto` Hz: mean over the line and its second
        /// and third multiple. A multiple counts only where it is a maximum: higher than three bins on either side, or else it belongs to
        /// a stronger neighbour. It is looked for within ±1.5 %, because rolling elements slip. 0: no line; NaN: too short a block.
        [[nodiscard]] double line(double line, double upto);

    private:
        friend class SpectrumAnalyzer;
        Envelope(std::vector<double>& power, std::vector<double>& sorted, double bin) : power_(power), sorted_(sorted), bin_(bin) {}
        std::vector<double>& power_;
        std::vector<double>& sorted_;
        double bin_;  ///< Hz
    };
    /// Valid until the next call of anything here.
    [[nodiscard]] Envelope envelope(std::span<const double> block, double rate, Band band);

private:
    struct Plans;
    double weighted_rms(std::span<const double> block, double rate, Band band, bool integrate);
    /// Hann window over block_ and its spectrum.
    void transform_windowed(std::size_t length);

    std::unique_ptr<Plans> plans_;
    std::vector<std::complex<double>> block_;
    std::vector<std::complex<double>> spectrum_;
    std::vector<double> power_;
    std::vector<double> sorted_;
};

}  // namespace sluice::rules
