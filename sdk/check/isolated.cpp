#include "isolated.h"

#include <stdexcept>

namespace keelson::check {

std::string isolation_problem(const Options&) {
    return "--isolated needs keelson-plugin-host, which this build of the kit cannot speak to yet; "
           "without it the plugin is called inside the kit's own processes";
}

std::unique_ptr<Transport> make_isolated_transport(const Options& options) {
    throw std::runtime_error(isolation_problem(options));
}

}  // namespace keelson::check
