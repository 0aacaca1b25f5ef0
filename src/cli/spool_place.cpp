#include "cli/spool_place.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "cli/exit.hpp"
#include "gateway/named_keys.hpp"
#include "gateway/spool_wiring.hpp"
#include "manage/config/load.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

using base::Errc;

/// A folder where no gateway has run is the wrong one; whatever is there and cannot be read has failed.
int code_of(const base::Error& error) { return error.code == Errc::not_found ? kExitUsage : kExitFailed; }

std::string none_text(const std::string& data, std::string_view what) {
    return fmt::format("sluice: {} in {} does not exist: no gateway with this configuration has run yet\n", what, data);
}

std::string spool_text(const std::string& data, const base::Error& error) {
    switch (error.code) {
        case Errc::not_found:
            return none_text(data, "the spool");
        case Errc::wrong_key:
            return fmt::format("sluice: the spool in {} was written with another key than those in {}/{} (`sluice key list` says which)\n",
                               data, data, identity::kKeyFolder);
        case Errc::permission:
            return fmt::format("sluice: the spool in {} may not be read: run as the gateway's user\n", data);
        default:
            return fmt::format("sluice: the spool in {} cannot be read: {}\n", data, base::describe(error));
    }
}

std::string key_text(const std::string& file, const base::Error& error) {
    switch (error.code) {
        case Errc::corrupt:
            return fmt::format("sluice: {} is no key: expected exactly 32 bytes; put the right file back\n", file);
        case Errc::permission:
            return fmt::format("sluice: {} may not be read, or may be read by others: run as the gateway's user; it needs mode 0600\n",
                               file);
        default:
            return fmt::format("sluice: {} cannot be read: {}\n", file, base::describe(error));
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
    identity::KeyFiles key_files(files_, data_);
    const auto keys = key_files.load();
    if (!keys) {
        explain_key(keys.error(), key_files.culprit());
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

void SpoolPlace::explain(const base::Error& error) { fail(spool_text(data_, error), code_of(error)); }

void SpoolPlace::explain_key(const base::Error& error, identity::KeyNumber culprit) {
    if (error.code != Errc::not_found) {
        fail(key_text(fmt::format("{}/{}", data_, identity::key_file(culprit)), error), code_of(error));
        return;
    }
    const identity::KeyNumber named = gateway::greatest_named_key(files_, data_);
    if (named == 0) {
        fail(none_text(data_, "the gateway's key"), code_of(error));
        return;
    }
    fail(fmt::format("sluice: {}/{} is missing, and what is in {} was written with it; put it back (`sluice key list` says which keys are "
                     "needed)\n",
                     data_, identity::key_file(named), data_),
         kExitFailed);
}

void SpoolPlace::fail(const std::string& text, int code) {
    std::fputs(text.c_str(), stderr);
    exit_.code = code;
}

}  // namespace sluice::cli
