// Files and keys as code with a defect would use them: what lies between the spool and the simulated disk in a run with such a defect.
#pragma once

#include <memory>

#include "env/clock.hpp"
#include "env/entropy.hpp"
#include "env/file_system.hpp"
#include "flow/spool/ports.hpp"
#include "sim/system_defect.hpp"

namespace sluice::sim {

/// Passes everything on, but for what the defect forgets. One thread.
class DefectFiles final : public env::FileSystem {
public:
    DefectFiles(env::FileSystem& inner, Defect defect) : inner_(inner), defect_(defect) {}
    base::Result<std::unique_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override;
    base::Status rename(const std::string& from, const std::string& to) override { return inner_.rename(from, to); }
    base::Status remove(const std::string& path) override { return inner_.remove(path); }
    base::Status make_directory(const std::string& path) override { return inner_.make_directory(path); }
    base::Status sync_directory(const std::string& path) override;
    base::Result<std::vector<std::string>> list(const std::string& path) override { return inner_.list(path); }
    base::Result<std::unique_ptr<env::FileLock>> lock(const std::string& path) override { return inner_.lock(path); }
    base::Result<unsigned> permissions(const std::string& path) override { return inner_.permissions(path); }
    base::Result<env::FileStamp> stamp(const std::string& path) override { return inner_.stamp(path); }

private:
    env::FileSystem& inner_;
    Defect defect_;
};

/// Defect::tags_unchecked: bytes in the clear, and whatever comes back is believed.
class CredulousSealer final : public spool::Sealer {
public:
    std::unique_ptr<spool::Cipher> cipher(spool::KeyNumber key, base::ByteView context) override;
    [[nodiscard]] spool::KeyName newest() const override { return {}; }
    [[nodiscard]] bool has(const spool::KeyName& key) const override { return key == newest(); }
};

/// Defect::ttl_by_wall_clock: intervals by the wall clock.
class WallClockOnly final : public env::Clock {
public:
    explicit WallClockOnly(const env::Clock& inner) : inner_(inner) {}
    [[nodiscard]] base::Monotonic now() const override { return base::Monotonic(inner_.wall().time.time_since_epoch()); }
    [[nodiscard]] env::WallReading wall() const override { return inner_.wall(); }

private:
    const env::Clock& inner_;
};

/// Defect::epoch_reused: what is drawn for an epoch (8 bytes; salts are longer) is always the same.
class StubbornEntropy final : public env::Entropy {
public:
    explicit StubbornEntropy(env::Entropy& inner) : inner_(inner) {}
    void fill(std::span<base::Byte> out) override;

private:
    env::Entropy& inner_;
};

}  // namespace sluice::sim
