// Quantity: a fixed-point number with a suffix ("100m", "1.5Gi", "1e3"), by the rules of Kubernetes'
// resource.Quantity (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
// Precision is one nano (1e-9).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::object {

class Quantity {
  public:
    // How the number is written: 1k, 1Ki or 1e3.
    enum class Format : std::uint8_t { decimal_si, binary_si, decimal_exponent };

    Quantity() = default;
    explicit Quantity(std::int64_t value, Format format = Format::decimal_si)
        : mantissa_(value), format_(format) {}

    // Errors have reason bad_request and exactly Kubernetes' text.
    static base::Result<Quantity> parse(std::string_view text);
    static Quantity from_milli(std::int64_t milli, Format format = Format::decimal_si);

    // The canonical form: no fraction, the largest possible suffix, the format kept.
    [[nodiscard]] std::string to_string() const;

    [[nodiscard]] Format format() const { return format_; }
    [[nodiscard]] bool is_zero() const { return mantissa_ == 0; }
    [[nodiscard]] int sign() const { return mantissa_ < 0 ? -1 : mantissa_ > 0 ? 1 : 0; }

    // Rounded away from zero, limited to the range of int64.
    [[nodiscard]] std::int64_t value() const { return scaled(0); }
    [[nodiscard]] std::int64_t milli_value() const { return scaled(-3); }
    // Whether value() loses nothing.
    [[nodiscard]] bool is_integer() const;
    [[nodiscard]] double approximate() const;

    // A zero takes the format of the other operand.
    void add(const Quantity& other);
    void subtract(const Quantity& other);
    void negate() { mantissa_ = -mantissa_; }

    [[nodiscard]] std::strong_ordering compare(const Quantity& other) const;
    [[nodiscard]] std::strong_ordering compare(std::int64_t value) const { return compare(Quantity(value)); }
    // By amount; formats do not matter.
    bool operator==(const Quantity& other) const { return compare(other) == std::strong_ordering::equal; }
    std::strong_ordering operator<=>(const Quantity& other) const { return compare(other); }

  private:
    __extension__ using Wide = __int128;

    // The amount in nanos, limited to the range of Wide.
    [[nodiscard]] Wide nanos() const;
    [[nodiscard]] std::int64_t scaled(int scale) const;
    static std::string digits(Wide number);

    Wide mantissa_ = 0;
    std::int32_t scale_ = 0;  // at least -9: amount = mantissa * 10^scale
    Format format_ = Format::decimal_si;
};

}  // namespace keelson::object
