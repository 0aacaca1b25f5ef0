#include "cli/spool_place.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "cli/exit.hpp"
#include "gateway/spool_wiring.hpp"
#include "manage/config/load.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

using base::Errc;

/// A folder without a spool, or with another one, is the wrong one.
int code_of(const base::Error& error) { return error.code == Errc::wrong_key || error.code == Errc::not_found ? kExitUsage : kExitFailed; }

std::string text_of(const std::string& data, const base::Error& error, std::string_view what) {
    switch (error.code) {
        case Errc::not_found:
            return fmt::format("sluice: {} in {} does not exist: no gateway with this configuration has run yet\n", what, data);
        case Errc::wrong_key:
            return fmt::format("sluice: the spool in {} was written with another key than those in {}/{} (`sluice key list` says which)\n",
                               data, data, identity::kKeyFolder);
        case Errc::permission:
            return fmt::format("sluice: {} in {} may not be read: run as the gateway's user; the key needs mode 0600\n", what, data);
        default:
            return fmt::format("sluice: {} in {} cannot be read: {}\n", what, data, base::describe(error));
    }
}

}  // namespace

SpoolPlace::SpoolPlace(const std::string& file, Exit& exit) : exit_(exit) {
    const auto loaded = config::load_gateway(files_, file, nullptr);
    if (!loaded.is_valid()) {
        std::fputs(loaded.text().c_str(), stderr);
        exit_.code = kExitUsage;
        return;
    }
    data_ = loaded.config.gateway.data.value;
    options_ = gateway::spool_options(loaded.config);
    options_.read_only = true;
    const auto keys = identity::KeyFiles(files_, data_).load();
    if (!keys) {
        fail(keys.error(), "the gateway's key");
        return;
    }
    sealer_ = std::make_unique<gateway::SpoolSealer>(*keys);
}

base::Result<std::unique_ptr<spool::Spool>> SpoolPlace::open() {
    return spool::Spool::open({files_, clock_, entropy_, *sealer_}, options_);
}

std::unique_ptr<spool::Spool> SpoolPlace::open_or_explain() {
    if (!good()) return nullptr;
    auto opened = open();
    if (opened) return std::move(*opened);
    explain(opened.error());
    return nullptr;
}

void SpoolPlace::explain(const base::Error& error) { fail(error, "the spool"); }

void SpoolPlace::fail(const base::Error& error, std::string_view what) {
    std::fputs(text_of(data_, error, what).c_str(), stderr);
    exit_.code = code_of(error);
}

}  // namespace sluice::cli
