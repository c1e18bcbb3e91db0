// The entry that libFuzzer calls; KEELSON_FUZZ_TARGET is the name of the target.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    keelson::fuzz::KEELSON_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
    return 0;
}
