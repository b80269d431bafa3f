#include "core/storage/probe_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/storage/partial_file.h"

namespace edt {
namespace {

constexpr std::string_view kProbeName = ".edt-probe-";

}  // namespace

ProbeFile::ProbeFile(const std::filesystem::path& directory) {
  const SignalDelay until_it_is_listed;
  std::string name = (directory / kProbeName).string() + "XXXXXX";
  descriptor_ = mkstemp(name.data());
  error_ = descriptor_ < 0 ? errno : 0;
  if (descriptor_ < 0) return;
  path_ = name;
  slot_ = list_for_removal(path_);
}

ProbeFile::~ProbeFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(path_.c_str());
  strike_off_removal(slot_);
}

void remove_old_probes(const std::filesystem::path& directory) {
  constexpr time_t kOld = 3600;
  const ProbeFile own(directory);
  struct stat now {};
  if (own.descriptor() < 0 || ::fstat(own.descriptor(), &now) != 0) return;
  std::error_code code;
  for (std::filesystem::directory_iterator entry(directory, code), end; !code && entry != end;
       entry.increment(code)) {
    struct stat other {};
    const bool is_probe = entry->path().filename().string().starts_with(kProbeName);
    if (!is_probe || ::lstat(entry->path().c_str(), &other) != 0) continue;
    if (other.st_uid != now.st_uid || other.st_mtime > now.st_mtime - kOld) continue;
    ::unlink(entry->path().c_str());
  }
}

}  // namespace edt
