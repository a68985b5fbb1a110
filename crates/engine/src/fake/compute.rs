//! Machines: each has a port, which may be taken.

use openstack::{Fault, NewServer, Result, Server};

use super::{Inner, status};

impl Inner {
    pub(super) fn create_server(&mut self, id: String, new: &NewServer) -> Result<Server> {
        let broken = self.broken_server.take_if(|name| *name == new.name).is_some();
        let fault = Fault { code: 500, message: "No valid host was found.".into(), details: None };
        let server = Server {
            id: id.clone(),
            name: new.name.clone(),
            status: "BUILD".into(),
            fault: broken.then_some(fault),
            metadata: new.metadata.clone(),
            addresses: Default::default(),
            task_state: None,
        };
        let ports = &mut self.things.ports;
        let port =
            ports.iter_mut().find(|it| it.id == new.port_ids[0]).ok_or_else(|| status(400, "no port"))?;
        if !port.device_id.is_empty() {
            return Err(status(409, "port in use"));
        }
        port.device_id = id;
        self.things.servers.push(server.clone());
        Ok(server)
    }
}
