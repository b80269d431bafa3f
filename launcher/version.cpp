#include "launcher/version.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/version.hpp>
#include <string_view>

#include "core/cpu/cpu_library.h"
#include "core/plugin/build_identity.h"
#include "core/storage/hdf5_library.h"
#include "launcher/version_config.h"
#include "parallel/comm/mpi/mpi_session.h"

namespace edt {
namespace {

std::string boost_version() {
  std::string version = BOOST_LIB_VERSION;  // "1_74"
  std::replace(version.begin(), version.end(), '_', '.');
  return version;
}

// "Open MPI v4.1.4": the library that is loaded.
std::string mpi_version() {
  const std::string library = MpiSession::library();
  return library.substr(0, library.find(','));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> versions() {
  return {{"edt", EDT_VERSION},       {"commit", EDT_COMMIT},       {"build", EDT_BUILD_TYPE},
          {"compiler", EDT_COMPILER}, {"oneDNN", onednn_version()}, {"HDF5", hdf5_version()},
          {"Boost", boost_version()}, {"MPI", mpi_version()},       {"CUDA", EDT_CUDA_VERSION},
          {"NCCL", EDT_NCCL_VERSION}};
}

std::string version_text() {
  std::string text;
  for (const auto& [name, version] : versions()) text += fmt::format("{:9} {}\n", name, version);
  return text;
}

}  // namespace edt
