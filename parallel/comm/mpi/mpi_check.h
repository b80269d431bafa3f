// MPI calls that return errors as exceptions, and communicators that free themselves.
#pragma once

#include <fmt/format.h>
#include <mpi.h>

#include <string>

#include "parallel/comm/transport.h"

namespace edt {

inline std::string mpi_error_text(int code) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  return {text, static_cast<std::size_t>(length)};
}

inline void check_mpi(int code, std::string_view call) {
  if (code != MPI_SUCCESS) throw TransportError(fmt::format("{}: {}", call, mpi_error_text(code)));
}

class MpiGroup {
 public:
  // Takes `comm` over.
  explicit MpiGroup(MPI_Comm comm) : comm_(comm) {
    check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }
  ~MpiGroup() {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (!finalized) MPI_Comm_free(&comm_);
  }
  MpiGroup(const MpiGroup&) = delete;
  MpiGroup& operator=(const MpiGroup&) = delete;

  MPI_Comm get() const { return comm_; }

 private:
  MPI_Comm comm_;
};

}  // namespace edt
