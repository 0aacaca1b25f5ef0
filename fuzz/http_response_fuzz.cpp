// links: sluice_codec_http
// Answers of an HTTP server, whole and cut: read alike, and never more than there is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "codec/http/response.hpp"

using sluice::http::ResponseReader;

namespace {

struct Verdict {
    ResponseReader::Status status = ResponseReader::Status::incomplete;
    std::size_t used = 0;
    std::uint16_t code = 0;
};

Verdict judge(sluice::base::ByteView in, bool head, std::size_t step) {
    ResponseReader reader;
    reader.expect(head);
    Verdict out;
    for (std::size_t end = step; out.status == ResponseReader::Status::incomplete && out.used < in.size(); end += step) {
        const auto shown = in.first(std::min(end, in.size())).subspan(out.used);
        const auto read = reader.read(shown);
        if (read.used > shown.size()) std::abort();
        out.used += read.used;
        out.status = read.status;
        if (end >= in.size()) break;
    }
    if (out.status == ResponseReader::Status::complete) {
        out.code = reader.response().status;
        if (out.code < 200) std::abort();
    } else {
        (void)reader.end();
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        ResponseReader reader;
        reader.expect(false);
        if (reader.end()) std::abort();
        return 0;
    }
    const sluice::base::ByteView in(data + 2, size - 2);
    const bool head = (data[0] & 1) != 0;
    const Verdict whole = judge(in, head, in.size());
    const Verdict cut = judge(in, head, data[1] % 64U + 1);
    if (whole.status == ResponseReader::Status::complete &&
        (cut.status != whole.status || cut.used != whole.used || cut.code != whole.code))
        std::abort();
    return 0;
}
