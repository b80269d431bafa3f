// A file system that never answers, over a folder: hanging_fs FOLDER. It speaks the kernel's FUSE
// protocol just as far as being mounted; whoever looks into the folder waits until this program
// ends.
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int device = open("/dev/fuse", O_RDWR);
  const std::string options =
      "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
  if (device < 0 || mount("hanging", argv[1], "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    std::perror("hanging_fs");
    return 77;
  }
  std::puts("mounted");
  std::fflush(stdout);
  std::array<char, 1 << 17> request;
  while (read(device, request.data(), request.size()) > 0) {
    fuse_in_header in;
    std::memcpy(&in, request.data(), sizeof in);
    if (in.opcode != FUSE_INIT) continue;
    struct {
      fuse_out_header header;
      fuse_init_out init;
    } out{};
    out.init.major = FUSE_KERNEL_VERSION;
    out.init.minor = FUSE_KERNEL_MINOR_VERSION;
    out.init.max_write = 1 << 16;
    out.header = {sizeof out, 0, in.unique};
    if (write(device, &out, sizeof out) < 0) return 1;
    // What is asked for from now on stays unread: those who ask can still be killed, as with NFS.
    pause();
  }
  return 0;
}
