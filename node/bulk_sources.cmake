set(WEFT_BULK_SOURCES
  bulk.c bulk_connect.c bulk_dial.c bulk_door.c bulk_frame.c bulk_gate.c bulk_list.c bulk_thread.c bulk_transfer.c
  fetch.c fetch_list.c fetch_plan.c fetch_prepare.c fetch_receive.c fetch_send.c fetch_stream.c
  stream.c tls.c)
