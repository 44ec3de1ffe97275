# Between the pure core and the operating system: state folder, sockets, threads, loop; and the public face of libweft.
set(WEFT_RUNTIME_SOURCES
  actor.c bridge.c client.c client_pipe.c client_pipe_receive.c client_pipe_send.c client_receipt.c client_stream.c control.c
  doors.c home.c home_key.c job.c job_base.c job_gather.c job_index.c job_put.c job_remember.c lines.c loop.c node.c node_port.c node_report.c packet.c places.c resource.c
  resource_command.c resource_fifo.c resource_http.c resource_lookup.c resource_pump.c resource_tcp.c rows.c seeds.c
  socket.c wire.c zap.c)
