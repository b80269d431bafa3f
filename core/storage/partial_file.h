// A file under its temporary name, until it is complete: removed when writing it fails, and, in
// programs that ask for it, when a signal ends them. One process at a time has that name.
#pragma once

#include <filesystem>

namespace edt {

class PartialFile {
 public:
  // Of the file that `path` will be; behind a link, of the file that it names. SystemError where
  // that is a device or a pipe, or cannot be created; UsageError where another process is writing
  // it.
  explicit PartialFile(const std::filesystem::path& path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Where to write it: partial_path(path()).
  const std::filesystem::path& partial() const { return partial_; }

  // What was written is complete and closed: syncs it and gives it its name.
  void commit();
  // The same for what has been synced.
  void take_name();

 private:
  std::filesystem::path path_, partial_;
  int lock_ = -1;  // descriptor; goes with the process, however that ends
  int slot_ = -1;
  bool is_complete_ = false;
};

// From now on the signals that end a program remove all partial files first. Signals that are
// ignored stay so. For programs; handlers that are put in place later take over.
void remove_partial_files_on_signals();

// What such a handler does before it ends the program; safe in any handler.
void remove_partial_files() noexcept;

// A file, or a folder of such files, that goes with them until it is struck off by the number that
// it gets here.
int list_for_removal(const std::filesystem::path& path);
void strike_off_removal(int number);

// While it lives, these signals wait, so that a library can remove temporary files of its own.
class SignalDelay {
 public:
  // Ends the program where a signal is ending it already, so that nothing is begun behind its back.
  SignalDelay();
  // Ends the program where a signal has come.
  ~SignalDelay();
  SignalDelay(const SignalDelay&) = delete;
  SignalDelay& operator=(const SignalDelay&) = delete;

  static bool signal_waits();
};

}  // namespace edt
