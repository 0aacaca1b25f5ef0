#include "env/posix/entropy.hpp"

#include <cerrno>

#include <sys/random.h>

#include "base/check.hpp"

namespace sluice::posix {

void PosixEntropy::fill(std::span<base::Byte> out) {
    while (!out.empty()) {
        const ssize_t got = getrandom(out.data(), out.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        base::check(got > 0, "entropy: the kernel gives no random bytes");
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace sluice::posix
