#include "signals.h"

#include <signal.h>
#include <string.h>

#include <cstdlib>
#include <string_view>

#include "keelson/error.hpp"

namespace keelson::oci {

int signal_number(const std::string& text) {
    if (text.empty()) return SIGTERM;
    const bool is_number = text.find_first_not_of("0123456789") == std::string::npos && text.size() < 4;
    int number = is_number ? std::atoi(text.c_str()) : 0;
    std::string name = text.starts_with("SIG") ? text.substr(3) : text;
    for (int signal = 1; signal < 32 && number == 0; ++signal) {
        const char* known = ::sigabbrev_np(signal);
        if (known != nullptr && name == known) number = signal;
    }
    if (number == 0 && name.starts_with("RTMIN")) {
        const std::string rest = name.substr(5);
        if (rest.empty() || (rest.front() == '+' && rest.size() < 4))
            number = SIGRTMIN + std::atoi(rest.c_str());
    }
    if (number == 0 && name.starts_with("RTMAX")) {
        const std::string rest = name.substr(5);
        if (rest.empty() || (rest.front() == '-' && rest.size() < 4))
            number = SIGRTMAX + std::atoi(rest.c_str());
    }
    if (number < 1 || number > SIGRTMAX)
        throw Error(Code::invalid, "there is no signal '" + text + "'", "signal");
    return number;
}

}  // namespace keelson::oci
