set(WEFT_BULK_SOURCES
  bridge_door.c bridge_hello.c bridge_rate.c bridge_run.c
  bulk.c bulk_connect.c bulk_dial.c bulk_door.c bulk_flow.c bulk_frame.c bulk_gate.c bulk_kept.c bulk_last.c bulk_list.c bulk_news.c
  bulk_port.c bulk_ring.c bulk_thread.c bulk_transfer.c bulk_way.c bulk_writer.c conduit.c
  fetch.c fetch_check.c fetch_large.c fetch_list.c fetch_offer.c fetch_plan.c fetch_prepare.c fetch_receive.c fetch_send.c fetch_serve.c
  fetch_stream.c fetch_take.c fetch_taker.c fetch_walk.c
  splice.c stream.c tls.c)
