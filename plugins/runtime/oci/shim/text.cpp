#include "text.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace keelson::oci::shim {

Text& Text::add(const char* text, std::size_t size) {
    const auto room = std::size_t(end_ - at_);
    if (size > room) {
        size = room;
        overflowed_ = true;
    }
    std::memcpy(at_, text, size);
    at_ += size;
    *at_ = 0;
    return *this;
}

Text& Text::number(std::int64_t value, int digits) {
    char reversed[24];
    int count = 0;
    const bool negative = value < 0;
    for (auto rest = negative ? 0 - std::uint64_t(value) : std::uint64_t(value); rest != 0 || count < digits;
         rest /= 10)
        reversed[count++] = char('0' + rest % 10);
    if (negative) add('-');
    while (count > 0) add(reversed[--count]);
    return *this;
}

std::int64_t parse_number(const char* text) {
    const bool negative = *text == '-';
    std::int64_t value = 0;
    for (text += negative ? 1 : 0; *text >= '0' && *text <= '9' && value < INT64_MAX / 10 - 9; ++text)
        value = value * 10 + (*text - '0');
    return negative ? -value : value;
}

// The civil date of a day, after the well-known algorithm with years that begin in March.
void write_time(char* to, std::int64_t unix_ns) {
    const std::int64_t seconds = unix_ns / 1'000'000'000;
    const std::int64_t days = seconds / 86'400 + 719'468;
    const std::int64_t era = days / 146'097;
    const std::int64_t day_of_era = days - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
    const std::int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    const std::int64_t second = seconds % 86'400;
    char room[time_bytes + 1];
    Text text(room, sizeof room);
    text.number(year, 4).add('-').number(month, 2).add('-').number(day, 2).add('T');
    text.number(second / 3600, 2).add(':').number(second / 60 % 60, 2).add(':').number(second % 60, 2);
    text.add('.').number(unix_ns % 1'000'000'000, 9).add('Z');
    std::memcpy(to, room, time_bytes);
}

std::int64_t unix_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::int64_t monotonic_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::size_t read_file(const char* path, char* buffer, std::size_t size) {
    std::size_t length = 0;
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    while (file >= 0 && length < size - 1) {
        const ssize_t got = ::read(file, buffer + length, size - 1 - length);
        if (got <= 0) break;
        length += std::size_t(got);
    }
    if (file >= 0) ::close(file);
    buffer[length] = 0;
    return length;
}

bool write_file(const char* path, const char* text, std::size_t size) {
    const int file = ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return false;
    const bool good = ::write(file, text, size) == ssize_t(size);
    const int failure = errno;
    ::close(file);
    errno = failure;
    return good;
}

}  // namespace keelson::oci::shim
