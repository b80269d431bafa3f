#include "parallel/comm/mpi/mpi_session.h"

#include <cstdlib>
#include <exception>

#include "core/base/exit_deadline.h"
#include "parallel/comm/mpi/mpi_check.h"
#include "parallel/comm/mpi/mpi_transport.h"

namespace edt {
namespace {

// Over TCP Open MPI's receiver asks for what is left of a long message ("put"), and the question
// waits behind all that it sends itself: two ranks that exchange use half of their link. Without
// that a message goes on by itself. Read by MPI_Init; what the environment says already stays.
void let_tcp_go_both_ways() {
  setenv("OMPI_MCA_btl_tcp_flags", "send,inplace,need-ack,need-csum,hetero-rdma", 0);
}

}  // namespace

MpiSession::MpiSession() {
  let_tcp_go_both_ways();
  int provided = MPI_THREAD_SINGLE;
  const int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided);
  require<CommunicationError>(code == MPI_SUCCESS, "mpi", "MPI_Init_thread failed with code {}",
                              code);
  require<CommunicationError>(
      provided == MPI_THREAD_MULTIPLE, "mpi",
      "this MPI library gives thread level {}, MPI_THREAD_MULTIPLE ({}) is needed: {}", provided,
      MPI_THREAD_MULTIPLE, library());
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() > 0) return;
  const ExitDeadline deadline(
      end_limit_, late_status_,
      fmt::format("edt: error: [mpi] {} has finished and waited {:.3g} s for the others in "
                  "MPI_Finalize: one of them is gone",
                  name_, end_limit_.count()));
  MPI_Finalize();
}

void MpiSession::limit_end(Seconds limit, int status, std::string name) {
  end_limit_ = limit;
  late_status_ = status;
  name_ = std::move(name);
}

std::unique_ptr<Communicator> MpiSession::world(const TransportOptions& options) const {
  MPI_Comm copy = MPI_COMM_NULL;
  try {
    check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &copy), "MPI_Comm_dup");
    return make_transport_communicator(make_mpi_transport(std::make_shared<MpiGroup>(copy)),
                                       options);
  } catch (const TransportError& error) {
    fail<CommunicationError>("mpi", "{}", error.what());
  }
}

std::string MpiSession::library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string_view all(text, static_cast<std::size_t>(length));
  return std::string(all.substr(0, all.find('\n')));
}

}  // namespace edt
