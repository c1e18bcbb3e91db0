// Chance that can be repeated: what is drawn depends on the seed and on what it is drawn for, not on what was
// drawn before. So calls beside each other do not change each other's luck.
#ifndef KEELSON_SIM_CHANCE_H
#define KEELSON_SIM_CHANCE_H

#include <cstdint>
#include <string>
#include <string_view>

class Chance {
  public:
    explicit Chance(std::uint64_t seed) : seed_(seed) {}

    [[nodiscard]] std::uint64_t draw(std::string_view purpose, std::string_view subject,
                                     std::int64_t number = 0) const;
    [[nodiscard]] bool happens(double probability, std::string_view purpose, std::string_view subject,
                               std::int64_t number) const;

  private:
    std::uint64_t seed_;
};

// 64 hexadecimal digits that belong to the text; no hash to rely on.
std::string digest_of(std::string_view text);

#endif
