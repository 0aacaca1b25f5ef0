// The name that a certificate gives its holder. Internal to this folder.
#pragma once

#include <string>

struct x509_st;  // X509

namespace sluice::posix {

/// The subject's common name (the last, most specific one), or else the first alternative name: DNS, then e-mail, then URI. `from_san`:
/// only an alternative name. Empty: none, or one with control characters (a NUL has fooled others).
std::string certificate_name(const x509_st* certificate, bool from_san);

}  // namespace sluice::posix
