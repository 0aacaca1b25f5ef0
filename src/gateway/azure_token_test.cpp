#include "gateway/azure_token.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

// Computed with Python: quote(b64encode(hmac.new(key, quote(uri, "") + "\\n1700000000", sha256).digest()), "").
TEST(AzureToken, is_what_the_hub_computes_too) {
    EXPECT_EQ(azure_token("hub.azure-devices.net", "line-1", "0123456789abcdef0123456789abcdef", std::chrono::seconds(1'700'000'000)),
              "SharedAccessSignature sr=hub.azure-devices.net%2Fdevices%2Fline-1"
              "&sig=v1y0FIkcEw%2BmHa4YOK1JAu6IXhIspThMzelTTEfWhv8%3D&se=1700000000");
}

TEST(AzureToken, base64_is_read_with_and_without_padding) {
    EXPECT_EQ(decode_base64("MDEyMw=="), "0123");
    EXPECT_EQ(decode_base64("MDEyMw"), "0123");
    EXPECT_EQ(decode_base64("/+8="), "\xff\xef");
    EXPECT_EQ(decode_base64(""), "");
    EXPECT_FALSE(decode_base64("a")) << "one digit is no byte";
    EXPECT_FALSE(decode_base64("ab c"));
    EXPECT_FALSE(decode_base64("ab=c"));
}

}  // namespace
}  // namespace sluice::gateway
