// NCCL for ranks that are threads, on the emulated GPU. A group is done when it ends.
#pragma once

namespace edt::emulation {

// What ncclCommGetAsyncError says from now on.
void set_nccl_failed(bool failed);

}  // namespace edt::emulation
