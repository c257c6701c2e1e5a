#[allow(clippy::unused_async)]
pub async fn send_mail(to: Vec<String>, ctx: JobContext) {}
///The ways to enqueue the job `send_mail` and to wait for it.
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
pub struct send_mail {}
///The arguments of the job `send_mail` in version 4, to which those of older versions are lifted.
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
pub struct SendMailArgs {
    ///The argument `to`.
    pub to: Vec<String>,
}
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
const _: () = {
    use ::pgjobq::__private as __pgjobq;
    type __Job = send_mail;
    impl __Job {
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = "send_mail";
        ///Makes a `send_mail` job, which has options and is not enqueued yet.
        pub fn job(to: Vec<String>) -> __pgjobq::NewJob<()> {
            __stored::<(), Vec<String>>().0(&__Args { to })
        }
        ///Makes a `send_mail` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`.
        pub fn step(to: impl __pgjobq::Input<Vec<String>>) -> __pgjobq::NewStep<()> {
            __pgjobq::NewStep::new(
                Self::KIND,
                &__POLICY,
                [__pgjobq::Input::<Vec<String>>::source(to, "to")],
            )
        }
        ///Makes a schedule of `send_mail` jobs with these arguments: from a cron pattern, such as `0 9 * * MON-FRI`, or an interval, such as `every 10m`.
        pub fn schedule(
            text: impl ::core::convert::Into<::std::string::String>,
            to: Vec<String>,
        ) -> __pgjobq::NewSchedule {
            __pgjobq::NewSchedule::new(text, Self::job(to))
        }
        ///Returns the handle of the `send_mail` job with this id.
        #[must_use]
        pub fn handle(
            id: impl ::core::convert::Into<__pgjobq::JobId>,
        ) -> __pgjobq::JobHandle<()> {
            __pgjobq::JobHandle::from_id(
                ::core::convert::Into::into(id),
                Self::KIND,
                &__POLICY,
            )
        }
        ///Enqueues a `send_mail` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`.
        ///
        /// # Errors
        ///
        /// A mistake in the job, a queue that does not exist, and errors of the database.
        pub async fn enqueue(
            to: impl __pgjobq::Target,
            to: Vec<String>,
        ) -> ::core::result::Result<__pgjobq::JobHandle<()>, __pgjobq::EnqueueError> {
            Self::job(to).enqueue(to).await
        }
        ///Enqueues a `send_mail` job, waits until it ends, and returns its result.
        ///
        /// # Errors
        ///
        /// The errors of the enqueue and of the wait, and an end without a result.
        pub async fn call(
            client: &__pgjobq::Client,
            to: Vec<String>,
        ) -> ::core::result::Result<(), __pgjobq::CallError> {
            __call::<()>(Self::job(to), client).await
        }
        #[doc(hidden)]
        pub const __ARGS: &'static [&'static str] = &["to"];
        #[doc(hidden)]
        pub fn __args(
            args: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args<Vec<String>>, __pgjobq::JobError> {
            __decode(args)
        }
    }
    #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
    #[serde(crate = "__pgjobq::serde")]
    #[doc(hidden)]
    pub struct __Args<__0> {
        pub to: __0,
    }
    type __NewJob<__T, __A> = fn(&__A) -> __pgjobq::NewJob<__T>;
    type __Decode<__A> = fn(
        &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__A, __pgjobq::JobError>;
    type __Shape = fn() -> ::std::vec::Vec<__pgjobq::ArgumentShape>;
    fn __stored<__T, __0: __pgjobq::Argument>() -> (
        __NewJob<__T, __Args<__0>>,
        __Decode<__Args<__0>>,
        __Shape,
    ) {
        (
            |args| __pgjobq::NewJob::new(__Job::KIND, &__POLICY, args),
            |args| args.decode(),
            || {
                ::std::vec![
                    __pgjobq::ArgumentShape { name : "to", ty : "Vec<String>", inside :
                    __pgjobq::shape_of!(__0) }
                ]
            },
        )
    }
    fn __lift_2(
        stored: &__pgjobq::StoredArgs<'_>,
        args: old::SendV2,
    ) -> ::core::result::Result<SendV3, __pgjobq::JobError> {
        stored.lift::<old::SendV2, SendV3>(args, 2u16)
    }
    fn __lift_3(
        stored: &__pgjobq::StoredArgs<'_>,
        args: SendV3,
    ) -> ::core::result::Result<SendMailArgs, __pgjobq::JobError> {
        stored.lift::<SendV3, SendMailArgs>(args, 3u16)
    }
    fn __decode(
        stored: &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__Args<Vec<String>>, __pgjobq::JobError> {
        let args = match stored.version() {
            2u16 => {
                __lift_3(stored, __lift_2(stored, stored.decode_old::<old::SendV2>()?)?)?
            }
            3u16 => __lift_3(stored, stored.decode_old::<SendV3>()?)?,
            _ => return __stored::<(), Vec<String>>().1(stored),
        };
        ::core::result::Result::Ok(__Args { to: args.to })
    }
    const __POLICY: __pgjobq::Policy = __pgjobq::Policy::DEFAULT.version(4u16, 2u16);
    async fn __run(
        context: __pgjobq::JobContext,
        args: &__pgjobq::serde_json::value::RawValue,
    ) -> ::core::result::Result<
        ::std::boxed::Box<__pgjobq::serde_json::value::RawValue>,
        __pgjobq::JobError,
    > {
        let args = __decode(&context.stored(args))?;
        __returns::<()>();
        <() as __pgjobq::JobReturn>::encode(
            send_mail(args.to, <JobContext as __pgjobq::HandedIn>::of(&context)?).await,
        )
    }
    const _: () = {
        use ::std::boxed::Box;
        #[doc(hidden)]
        #[__pgjobq::async_trait]
        impl __pgjobq::Handler for __Job {
            async fn run(
                &self,
                context: __pgjobq::JobContext,
                args: &__pgjobq::serde_json::value::RawValue,
            ) -> ::core::result::Result<
                Box<__pgjobq::serde_json::value::RawValue>,
                __pgjobq::JobError,
            > {
                __run(context, args).await
            }
            fn check(
                &self,
                args: &__pgjobq::StoredArgs<'_>,
            ) -> ::core::result::Result<(), __pgjobq::JobError> {
                __decode(args).map(|_| ())
            }
            fn shape(&self) -> ::std::vec::Vec<__pgjobq::ArgumentShape> {
                __stored::<(), Vec<String>>().2()
            }
        }
    };
    __pgjobq::inventory::submit! {
        __pgjobq::JobDescriptor { kind : __Job::KIND, aliases : & [], policy : __POLICY,
        scheduled : ::core::option::Option::None, handler : & __Job {}, batch :
        ::core::option::Option::None, states : & [], module : ::core::module_path!(),
        file : ::core::file!(), line : ::core::line!(), }
    }
    fn __returns<R: __pgjobq::JobReturn<Value = ()>>() {}
    async fn __call<T: __pgjobq::StoredResult>(
        job: __pgjobq::NewJob<T>,
        client: &__pgjobq::Client,
    ) -> ::core::result::Result<T, __pgjobq::CallError> {
        job.call(client).await
    }
};
